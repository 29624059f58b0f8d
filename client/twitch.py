"""Viewers of a Twitch channel change the look: `python -m reverie.client.twitch CHANNEL`; they write `!look film noir`.

Reads the chat as an anonymous guest (IRC over WebSocket): no account, no token, nothing is ever written.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from reverie.client.errors import ReverieError
from reverie.client.remote import Remote

CHAT = "wss://irc-ws.chat.twitch.tv:443"
MAX_PROMPT = 120
AGAIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Line:
    user: str  # login, lower case
    text: str
    moderator: bool  # or the channel's owner


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


@dataclass
class Rules:
    """Whose wish counts; pure but for its memory of who wished when."""

    command: str = "!look"
    cooldown_s: float = 30.0  # of each viewer; moderators have none
    moderators_only: bool = False
    allow: frozenset[str] = frozenset()  # users; empty is everybody
    deny: frozenset[str] = frozenset()
    _last: dict[str, float] = field(default_factory=dict)

    def wish(self, line: Line, now: float) -> str | None:
        """The look a line asks for, if its writer may; the server's deny list has the last word."""
        first, _, prompt = line.text.partition(" ")
        prompt = " ".join(prompt.split())[:MAX_PROMPT]
        if first.lower() != self.command or not prompt or line.user in self.deny:
            return None
        if (self.allow and line.user not in self.allow) or (self.moderators_only and not line.moderator):
            return None
        if not line.moderator and now - self._last.get(line.user, -1e9) < self.cooldown_s:
            return None
        self._last[line.user] = now
        return prompt


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
    channel: str, rules: Rules, remote: Remote, url: str = CHAT, now: Callable[[], float] = time.monotonic
) -> None:
    """For ever: wishes become looks, in the order they come."""
    while True:
        try:
            async for line in chat(channel, url):
                if (prompt := rules.wish(line, now())) is not None:
                    await _wear(remote, line.user, prompt)
        except (OSError, WebSocketException) as error:
            print(f"the chat cannot be reached: {error}; trying again", file=sys.stderr)
        await asyncio.sleep(AGAIN_S)


async def _wear(remote: Remote, user: str, prompt: str) -> None:
    try:
        await remote.wear(prompt, transition_s=1.0)
        print(f"{user}: {prompt}", flush=True)
    except ReverieError as refusal:
        print(f"{user}: {refusal}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channel")
    parser.add_argument("--command", default="!look")
    parser.add_argument("--cooldown", type=float, default=30.0, help="seconds between two wishes of one viewer")
    parser.add_argument("--moderators-only", action="store_true")
    parser.add_argument("--allow", default="", help="only these users, comma separated")
    parser.add_argument("--deny", default="", help="none of these users")
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--session", default="newest")
    parser.add_argument("--api-key", default="")
    asked = parser.parse_args()
    users = lambda text: frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    rules = Rules(asked.command, asked.cooldown, asked.moderators_only, users(asked.allow), users(asked.deny))
    asyncio.run(follow(asked.channel, rules, Remote(asked.server, asked.session, asked.api_key)))


if __name__ == "__main__":
    main()
