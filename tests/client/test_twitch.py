"""Looks by chat; Twitch itself is a fake server on loopback that speaks its IRC."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from reverie.client.twitch import arguments, chat, follow, parse, rules_of
from reverie.client.wishes import Line, Queue, Rules

SAID = "@badges={};mod={};user-type= :{}!{}@x.tmi.twitch.tv PRIVMSG #channel :{}"


@given(st.text(max_size=200))
def test_nothing_that_a_chat_says_breaks_the_reader(raw: str) -> None:
    assert parse(raw) is None or isinstance(parse(raw), Line)


def test_a_line_tells_who_and_whether_a_moderator() -> None:
    assert parse(SAID.format("", 0, "Ann", "ann", "!look a : b")) == Line("ann", "!look a : b", False)
    assert parse(SAID.format("broadcaster/1", 0, "me", "me", "hi")) == Line("me", "hi", True)
    assert parse(":tmi.twitch.tv 001 justinfan1 :Welcome") is None


async def test_a_chat_changes_the_look_and_pings_are_answered() -> None:
    heard: list[str] = []

    async def twitch(socket: ServerConnection) -> None:
        heard.extend([str(await socket.recv()) for _ in range(3)])
        await socket.send("PING :tmi.twitch.tv\r\n" + SAID.format("", 0, "ann", "ann", "!look red") + "\r\n")
        heard.append(str(await socket.recv()))
        await socket.wait_closed()

    class Worn:
        looks: list[str] = []  # noqa: RUF012
        told: list[str] = []  # noqa: RUF012

        async def wear(self, prompt: str, **options: Any) -> None:
            self.looks.append(prompt)

        async def tell(self, words: str) -> None:
            self.told.append(words)

    async with serve(twitch, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        lines = lambda: chat("Channel", f"ws://127.0.0.1:{port}")
        following = asyncio.create_task(follow(lines, Rules(), Queue(0.0), Worn()))  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            while not (Worn.looks and Worn.told) or len(heard) < 4:
                await asyncio.sleep(0.01)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
    assert Worn.looks == ["red"] and Worn.told == ["!look red"]  # nobody's name
    assert heard[1].startswith("NICK justinfan") and heard[2] == "JOIN #channel" and heard[3] == "PONG :tmi.twitch.tv"


def test_what_is_said_on_the_command_line_is_the_rule(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("Blood\n\n gore \n")
    asked = arguments().parse_args(
        ["me", "--command", "!Style", "--allow", "Ann, bob", "--moderators-only", "--deny-words", str(words)]
    )
    rules = rules_of(asked)
    assert (rules.command, rules.allow, rules.words) == ("!style", frozenset({"ann", "bob"}), ("blood", "gore"))
    assert rules.moderators_only and (asked.mode, asked.hold, asked.round) == ("queue", 0.0, 30.0)
