"""Chat and channel points with a token; Twitch is a fake server on loopback that speaks EventSub and Helix."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from reverie.client.eventsub import CHAT, POINTS, Refused, Twitch, events
from reverie.client.wishes import Line

SCOPES = ["user:read:chat", "channel:read:redemptions"]


@dataclass
class Fake:
    """What it was asked, and what it says to each connection after the other."""

    scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    says: list[list[dict[str, Any]]] = field(default_factory=list)
    where: Twitch = field(default_factory=Twitch)

    async def speak(self, socket: ServerConnection) -> None:
        for message in self.says.pop(0) if self.says else []:
            await socket.send(json.dumps(message))
        with suppress(ConnectionError):
            await socket.wait_closed()


def message(kind: str, number: str, **payload: Any) -> dict[str, Any]:
    return {"metadata": {"message_type": kind, "message_id": number}, "payload": payload}


def welcome(number: str) -> dict[str, Any]:
    return message("session_welcome", number, session={"id": "s1", "keepalive_timeout_seconds": 30})


def chat(number: str, user: str, text: str, *badges: str) -> dict[str, Any]:
    event = {"chatter_user_login": user, "message": {"text": text}, "badges": [{"set_id": each} for each in badges]}
    return message("notification", number, subscription={"type": CHAT}, event=event)


def redeemed(number: str, user: str, text: str, title: str) -> dict[str, Any]:
    event = {"user_login": user, "user_input": text, "reward": {"id": "r1", "title": title}}
    return message("notification", number, subscription={"type": POINTS}, event=event)


@contextmanager
def helix(fake: Fake) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append((self.path, self.headers["Authorization"], {}))
            if self.headers["Authorization"].split()[1] != "good":
                return self.answer({"message": "invalid access token"}, 401)
            if self.path == "/validate":
                return self.answer({"client_id": "c1", "login": "me", "user_id": "7", "scopes": fake.scopes})
            return self.answer({"data": [{"id": "42"}] if "login=channel" in self.path else []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.asked.append((self.path, self.headers["Client-Id"], body))
            self.answer({"data": []}, 202)

        def answer(self, body: dict[str, Any], status: int = 200) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    made = Fake()
    with helix(made) as url:
        async with serve(made.speak, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            made.where = Twitch(f"ws://127.0.0.1:{port}/ws", url, f"{url}/validate")
            yield made


async def first(count: int, fake: Fake, token: str = "good", channel: str = "#Channel", reward: str = "") -> list[Line]:
    heard: list[Line] = []
    async with asyncio.timeout(60):
        async for line in events(channel, token, reward, fake.where):
            heard.append(line)
            if len(heard) == count:
                break
    return heard


async def test_chat_and_a_reward_are_heard_once_each(fake: Fake) -> None:
    fake.says = [[
        welcome("1"), chat("2", "Ann", "!look red"), chat("2", "Ann", "!look red"), redeemed("3", "bob", "rain", "Hydrate"),
        redeemed("4", "bob", "rain", "Look"), chat("5", "mod", "hi", "moderator"), chat("6", "me", "hi", "broadcaster"),
    ]]  # fmt: skip
    assert await first(4, fake, reward="Look") == [
        Line("ann", "!look red", False), Line("bob", "rain", False, True), Line("mod", "hi", True), Line("me", "hi", True),
    ]  # fmt: skip
    bodies = [body for path, client, body in fake.asked if path == "/eventsub/subscriptions" and client == "c1"]
    assert [(body["type"], body["condition"]) for body in bodies] == [
        (CHAT, {"broadcaster_user_id": "42", "user_id": "7"}),
        (POINTS, {"broadcaster_user_id": "42"}),
    ]
    assert all(body["transport"] == {"method": "websocket", "session_id": "s1"} for body in bodies)


async def test_a_move_to_another_server_loses_nothing_and_subscribes_no_second_time(fake: Fake) -> None:
    moved = message("session_reconnect", "3", session={"reconnect_url": fake.where.events})
    fake.says = [[welcome("1"), chat("2", "ann", "a"), moved], [welcome("4"), chat("5", "ann", "b")]]
    assert [line.text for line in await first(2, fake)] == ["a", "b"]
    assert len([path for path, _, _ in fake.asked if path == "/eventsub/subscriptions"]) == 1


@pytest.mark.parametrize(
    "token, channel, scopes, words",
    [
        ("bad", "channel", SCOPES, "Twitch answered 401"),
        ("good", "nobody", SCOPES, "knows no channel nobody"),
        ("good", "channel", ["chat:read"], "lacks the scope user:read:chat; it has chat:read"),
        ("good", "channel", ["user:read:chat"], "lacks the scope channel:read:redemptions"),
    ],
)
async def test_what_does_not_help_to_try_again_ends_with_words(
    fake: Fake, token: str, channel: str, scopes: list[str], words: str
) -> None:
    fake.says, fake.scopes = [[welcome("1")]], scopes
    with pytest.raises(Refused, match=words):
        await first(1, fake, token, channel, reward="Look")


async def test_a_subscription_that_is_taken_away_ends_with_words(fake: Fake) -> None:
    gone = message("revocation", "2", subscription={"type": CHAT, "status": "authorization_revoked"})
    fake.says = [[welcome("1"), gone]]
    with pytest.raises(Refused, match="authorization_revoked"):
        await first(1, fake)
