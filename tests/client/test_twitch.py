"""Looks by chat; Twitch itself is a fake server on loopback that speaks its IRC."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from reverie.client.twitch import Line, Rules, follow, parse

SAID = "@badges={};mod={};user-type= :{}!{}@x.tmi.twitch.tv PRIVMSG #channel :{}"


@given(st.text(max_size=200))
def test_nothing_that_a_chat_says_breaks_the_reader(raw: str) -> None:
    assert parse(raw) is None or isinstance(parse(raw), Line)


def test_a_line_tells_who_and_whether_a_moderator() -> None:
    assert parse(SAID.format("", 0, "Ann", "ann", "!look a : b")) == Line("ann", "!look a : b", False)
    assert parse(SAID.format("broadcaster/1", 0, "me", "me", "hi")) == Line("me", "hi", True)
    assert parse(":tmi.twitch.tv 001 justinfan1 :Welcome") is None


def test_cooldown_lists_and_moderators() -> None:
    ann, mod = Line("ann", "!look  film   noir", False), Line("mod", "!LOOK red", True)
    rules = Rules(cooldown_s=10)
    assert [rules.wish(ann, now) for now in (0, 9, 10)] == ["film noir", None, "film noir"]
    assert [rules.wish(mod, now) for now in (0, 1)] == ["red", "red"]
    assert Rules(moderators_only=True).wish(ann, 0) is None
    assert Rules(allow=frozenset({"bob"})).wish(ann, 0) is None
    assert Rules(deny=frozenset({"ann"})).wish(ann, 0) is None
    assert Rules().wish(Line("ann", "hello", False), 0) is None


async def test_a_chat_changes_the_look_and_pings_are_answered() -> None:
    heard: list[str] = []

    async def twitch(socket: ServerConnection) -> None:
        heard.extend([str(await socket.recv()) for _ in range(3)])
        await socket.send("PING :tmi.twitch.tv\r\n" + SAID.format("", 0, "ann", "ann", "!look red") + "\r\n")
        heard.append(str(await socket.recv()))
        await socket.wait_closed()

    class Worn:
        looks: list[str] = []  # noqa: RUF012

        async def wear(self, prompt: str, **options: Any) -> None:
            self.looks.append(prompt)

    async with serve(twitch, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        following = asyncio.create_task(follow("Channel", Rules(), Worn(), f"ws://127.0.0.1:{port}"))  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            while not Worn.looks or len(heard) < 4:
                await asyncio.sleep(0.01)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
    assert Worn.looks == ["red"]
    assert heard[1].startswith("NICK justinfan") and heard[2] == "JOIN #channel" and heard[3] == "PONG :tmi.twitch.tv"
