"""Viewers of a Twitch channel change the look: `python -m reverie.client.twitch CHANNEL`; they write `!look film noir`.

Reads the chat as an anonymous guest (IRC over WebSocket): no account, no token, nothing is ever written.  With a token
(`--token-file`) it uses EventSub, and a reward of channel points (`--reward`) changes the look as well.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from reverie.client.errors import ReverieError
from reverie.client.eventsub import Refused, events
from reverie.client.remote import Remote
from reverie.client.wishes import Line, Plan, Queue, Rules, Vote, Wish

CHAT = "wss://irc-ws.chat.twitch.tv:443"
AGAIN_S, LOOK_S, TELL_S = 3.0, 0.2, 2.0  # before another try; between looks at the plan; between tellings
Lines = Callable[[], AsyncIterator[Line]]


def parse(raw: str) -> Line | None:
    """A line of chat; None for anything else.  Never raises."""
    tags = ""
    if raw.startswith("@"):
        tags, _, raw = raw[1:].partition(" ")
    prefix, _, rest = raw.partition(" ")
    command, _, rest = rest.partition(" ")
    if not prefix.startswith(":") or command != "PRIVMSG" or " :" not in rest:
        return None
    known = dict(tag.split("=", 1) for tag in tags.split(";") if "=" in tag)
    above = known.get("mod") == "1" or "broadcaster/" in known.get("badges", "")
    return Line(prefix[1:].partition("!")[0].lower(), rest.partition(" :")[2].strip(), above)


async def chat(channel: str, url: str = CHAT) -> AsyncIterator[Line]:
    """Lines of a channel until the connection ends.  Raises: OSError, WebSocketException."""
    async with connect(url, open_timeout=10) as socket:
        await socket.send("CAP REQ :twitch.tv/tags")
        await socket.send(f"NICK justinfan{random.randrange(10_000, 99_999)}")
        await socket.send(f"JOIN #{channel.lower().lstrip('#')}")
        async for packet in socket:
            for raw in str(packet).splitlines():
                if raw.startswith("PING"):
                    await socket.send("PONG" + raw[4:])
                elif (line := parse(raw)) is not None:
                    yield line


async def follow(
    lines: Lines, rules: Rules, plan: Plan, remote: Remote, now: Callable[[], float] = time.monotonic
) -> None:
    """For ever, or until Twitch refuses: wishes become looks as the plan says.  Raises: Refused."""
    said: list[str] = []
    tasks = [asyncio.create_task(_wear(plan, remote, now)), asyncio.create_task(_tell(said, remote))]
    try:
        while True:
            try:
                async for line in lines():
                    said.append(line.text)
                    wish = rules.wish(line, now())
                    if wish is not None and not plan.add(wish, now()):
                        print(f"{wish.user}: too many wait", file=sys.stderr)
            except (OSError, WebSocketException) as error:
                print(f"Twitch cannot be reached: {error}; trying again", file=sys.stderr)
            await asyncio.sleep(AGAIN_S)
    finally:
        for task in tasks:
            task.cancel()


async def _wear(plan: Plan, remote: Remote, now: Callable[[], float]) -> None:
    while True:
        wish: Wish | None = plan.due(now())
        if wish is None:
            await asyncio.sleep(LOOK_S)
            continue
        try:
            await remote.wear(wish.prompt, transition_s=1.0)
            print(f"{wish.user}: {wish.prompt}", flush=True)
        except ReverieError as refusal:
            print(f"{wish.user}: {refusal}", file=sys.stderr)


async def _tell(said: list[str], remote: Remote) -> None:
    """What is written, never by whom, becomes words by which the moment is found, where the session is indexed."""
    while True:
        await asyncio.sleep(TELL_S)
        words, said[:] = "\n".join(said), []
        if words:
            try:
                await remote.tell(words)
            except ReverieError:  # not indexed, or no session
                await asyncio.sleep(10 * TELL_S)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channel")
    parser.add_argument("--command", default="!look")
    parser.add_argument("--cooldown", type=float, default=30.0, help="seconds between two wishes of one viewer")
    parser.add_argument("--moderators-only", action="store_true")
    parser.add_argument("--allow", default="", help="only these users, comma separated")
    parser.add_argument("--deny", default="", help="none of these users")
    parser.add_argument("--deny-words", type=Path, metavar="FILE", help="prompts with one of its lines are refused")
    parser.add_argument("--mode", choices=("queue", "vote"), default="queue", help="one after the other, or by vote")
    parser.add_argument("--hold", type=float, default=0.0, help="seconds that a look of the queue stays at least")
    parser.add_argument("--round", type=float, default=30.0, help="seconds of a vote")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds a Twitch token with user:read:chat")
    parser.add_argument("--reward", default="", help="title or id of a reward of channel points; needs a token")
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--session", default="newest")
    parser.add_argument("--api-key", default="")
    return parser


def rules_of(asked: argparse.Namespace) -> Rules:
    """Raises: OSError if the file of words cannot be read."""
    users = lambda text: frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    text = asked.deny_words.read_text() if asked.deny_words is not None else ""
    words = tuple(line.strip().lower() for line in text.splitlines() if line.strip())
    return Rules(
        asked.command.lower(), asked.cooldown, asked.moderators_only, users(asked.allow), users(asked.deny), words
    )


def main() -> None:
    parser = arguments()
    asked = parser.parse_args()
    if asked.reward and asked.token_file is None:
        parser.error("--reward needs --token-file")
    try:
        rules = rules_of(asked)
        token = asked.token_file.read_text().strip() if asked.token_file is not None else ""
    except OSError as error:
        parser.error(str(error))
    plan: Plan = Queue(asked.hold) if asked.mode == "queue" else Vote(asked.round)
    lines: Lines = lambda: events(asked.channel, token, asked.reward) if token else chat(asked.channel)
    try:
        asyncio.run(follow(lines, rules, plan, Remote(asked.server, asked.session, asked.api_key)))
    except Refused as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
