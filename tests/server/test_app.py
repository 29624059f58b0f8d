"""What the port answers over HTTP."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from reverie.server.app import _cancelled, make
from reverie.server.settings import Settings


@pytest.fixture
def client() -> Any:
    with TestClient(make(Settings(model="toy")), base_url="http://127.0.0.1:8080") as client:
        yield client
    asyncio.set_event_loop(None)


def test_health_readiness_and_metrics(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok\n"
    deadline = time.monotonic() + 10
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in (
        "sessions",
        "frames_in_total",
        "model_steps_total",
        "errors_total",
        "step_seconds_count",
        "llm_tokens_total",
    ):
        assert f"reverie_{name}" in metrics.text
    assert "reverie_ready 1.0" in metrics.text


def test_the_page_and_its_files_are_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    web = Path(__file__).parents[2] / "client" / "web"
    for path in (path for path in web.rglob("*") if path.is_file()):
        assert client.get(f"/web/{path.relative_to(web)}").status_code == 200
    assert client.get("/web/../protocol.py").status_code == 404


def test_a_model_that_cannot_be_loaded_is_never_ready_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from reverie.models import registry

    def fail(*wanted: object) -> None:
        raise FileNotFoundError("weights nano.safetensors are missing")

    monkeypatch.setattr(registry, "load", fail)
    with TestClient(make(Settings()), base_url="http://127.0.0.1:8080") as client:
        deadline = time.monotonic() + 5
        while "missing" not in (answer := client.get("/readyz")).text:
            assert time.monotonic() < deadline
        assert answer.status_code == 503
        assert client.get("/healthz").status_code == 200
        with client.websocket_connect("/v1/stream", headers={"host": "127.0.0.1:8080"}) as socket:
            assert socket.receive_json()["error_type"] == "not_ready"


def test_a_loader_that_trips_is_reported_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    from reverie.models import registry

    def fail(*wanted: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(registry, "load", fail)
    with TestClient(make(Settings()), base_url="http://127.0.0.1:8080") as client:
        deadline = time.monotonic() + 5
        while "RuntimeError: no memory" not in client.get("/readyz").text:
            assert time.monotonic() < deadline


async def test_a_task_that_takes_a_cancellation_for_something_else_is_asked_again() -> None:
    asked = 0

    async def stubborn() -> None:
        nonlocal asked
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                asked += 1
                if asked == 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await _cancelled([task])
    assert asked == 2 and task.cancelled()
