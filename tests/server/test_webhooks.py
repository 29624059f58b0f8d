"""Messages to a real receiver: signed, tried again, given up; and those of a real session."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reverie.client.protocol import EffectSkipped, GenerationEnded, GenerationStarted, GenerationTick, Status
from reverie.client.webhooks import verify
from reverie.models.toy import ToyModel
from reverie.server.access import LOCAL, Caller
from reverie.server.metrics import Metrics
from reverie.server.node import Node
from reverie.server.settings import Settings
from reverie.server.webhooks import Webhooks, key_of


class Receiver:
    """Answers with the statuses it was given, one a request, then 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    key_of("", tmp_path / "secret")
    return (tmp_path / "secret").read_text().strip()


def hooks(receiver: Receiver, secret: str, waits_s: tuple[float, ...] = (0.01, 0.01)) -> tuple[Webhooks, Metrics]:
    metrics = Metrics()
    return Webhooks([receiver.url], key_of(secret, Path()), metrics, waits_s), metrics


def count(metrics: Metrics, outcome: str) -> float:
    return metrics.webhooks.labels(outcome)._value.get()


async def until(true: Any) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_message_is_signed_and_tried_again_under_the_same_id(receiver: Receiver, secret: str) -> None:
    made, metrics = hooks(receiver, secret)
    receiver.statuses = [500, 302]
    made.tell("session.started", session="a")
    await until(lambda: count(metrics, "delivered"))
    assert len(receiver.got) == 3 and len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    for headers, body in receiver.got:
        message = verify(secret, headers, body)
        assert message["type"] == "session.started" and message["data"] == {"session": "a"}
        assert message["timestamp"].endswith("Z")
    assert count(metrics, "retried") == 2
    await made.close()


async def test_it_is_given_up_after_the_last_try_and_410_ends_all(
    receiver: Receiver, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    made, metrics = hooks(receiver, secret)
    receiver.statuses = [503, 503, 503, 410]
    made.tell("one")
    await until(lambda: count(metrics, "dropped") == 1)
    assert len(receiver.got) == 3 and "given up" in caplog.text and "/hook" not in caplog.text
    made.tell("two")
    await until(lambda: count(metrics, "dropped") == 2)
    made.tell("three")
    await made.close()
    assert len(receiver.got) == 4


async def test_nobody_there_is_no_error_and_closing_does_not_wait_for_later_tries(secret: str) -> None:
    metrics = Metrics()
    made = Webhooks(["http://127.0.0.1:9/"], key_of(secret, Path()), metrics, (3600.0,))
    made.tell("one")
    await until(lambda: count(metrics, "retried"))
    await made.close(0.05)


async def test_what_a_session_lives_through_is_told(receiver: Receiver, tmp_path: Path) -> None:
    settings = Settings(model="toy", data=str(tmp_path), webhook_urls=(receiver.url,))
    node = Node(settings)
    node.model = ToyModel()
    heard: list[Any] = []
    with node.admit(Caller(LOCAL), "", heard.append, "studio") as session:
        for message in (GenerationStarted(), Status("styled", "red"), GenerationTick(1), EffectSkipped("bar", "late")):
            session._send(message)
        session._send(GenerationEnded(3, "disconnect"))
        await session.close("disconnect")
    await until(lambda: len(receiver.got) == 6)
    secret = (tmp_path / "webhook-secret").read_text().strip()
    got = [verify(secret, headers, body) for headers, body in receiver.got]
    kinds = {
        "session.started",
        "generation.started",
        "session.status",
        "effect.skipped",
        "generation.ended",
        "session.ended",
    }
    assert {each["type"] for each in got} == kinds and len(heard) == 5
    assert all(each["data"]["session"] == "studio" and each["data"]["tenant"] == "local" for each in got)
    await node.close()


def test_secrets_are_checked_and_not_told(tmp_path: Path) -> None:
    made = key_of("", tmp_path / "deep" / "secret")
    assert key_of("", tmp_path / "deep" / "secret") == made and len(made) == 32
    assert (tmp_path / "deep" / "secret").stat().st_mode & 0o777 == 0o600
    for wrong in ("whsec_short", "whsec_????", "whsec_" + "A" * 100):
        with pytest.raises(ValueError, match="24 to 64 bytes") as refusal:
            key_of(wrong, tmp_path / "unused")
        assert wrong not in str(refusal.value)
    with pytest.raises(ValueError, match="http"):
        Webhooks(["ftp://example"], made, Metrics())
    assert not (tmp_path / "unused").exists()
