"""A link lets one device in; what it is then known by; and the whole of it from another network namespace."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from reverie.server import lan
from reverie.server.access import Access, caller_of
from reverie.server.gate import Gate
from reverie.server.settings import Settings

VISIT = Path(__file__).parents[1] / "rig" / "lan_visit.py"


class Tokens(list[str]):
    """Every token that the terminal showed."""


def show(request: Request) -> PlainTextResponse:
    return PlainTextResponse(caller_of(request).tenant.name if hasattr(request.state, "caller") else "open")


async def tell(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(caller_of(socket).tenant.name)
    await socket.close()


def cookie_of(answer: Any) -> str:
    """The test client sends none to WebSockets: it takes them for another host."""
    return str(answer.headers["set-cookie"]).split(";")[0]


@pytest.fixture
def shown() -> Tokens:
    return Tokens()


@pytest.fixture
def client(tmp_path: Path, shown: Tokens) -> Iterator[TestClient]:
    access = Access(Settings(data=str(tmp_path)))
    access.door = lan.Door(shown.append)
    routes: list[Any] = [
        Route("/", show), Route("/v1/sessions", show), Route("/healthz", show), WebSocketRoute("/v1/stream", tell),
        Route("/join/{token}", lan.join, methods=["GET", "POST"]),
    ]  # fmt: skip
    app = Starlette(routes=routes, middleware=[Middleware(Gate, access=access)])
    counter = type("Counter", (), {"inc": lambda self: None, "labels": lambda self, code: self})()
    app.state.node = type("Node", (), {"metrics": type("Metrics", (), {"refused": counter})})()
    app.state.access = access
    yield TestClient(app, base_url="https://192.0.2.7", follow_redirects=False)


def test_a_link_lets_one_device_in_and_is_refused_with_a_page_the_second_time(
    client: TestClient, shown: Tokens
) -> None:
    answer = client.get(f"/join/{shown[0]}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("__host-reverie=rp_", "secure", "httponly", "samesite=lax", "path=/"))
    assert (client.get("/").text, client.get("/v1/sessions").text) == ("open", "local")
    with client.websocket_connect("/v1/stream", headers={"cookie": cookie_of(answer)}) as socket:
        assert socket.receive_text() == "local"
    client.cookies.clear()
    again = client.get(f"/join/{shown[0]}")
    assert again.status_code == 410 and "has been used" in again.text and "set-cookie" not in again.headers
    assert len(shown) == 2 and client.get(f"/join/{shown[1]}").status_code == 303


def test_without_a_pass_there_is_a_page_that_says_how_to_get_in(client: TestClient, shown: Tokens) -> None:
    page = client.get("/")
    assert page.status_code == 401 and "needs a link" in page.text and shown[0] not in page.text
    assert client.get("/v1/sessions").status_code == 401
    assert client.get("/healthz").text == "open"
    for forged in ("rp_x", shown[0], ""):
        cookie = {"cookie": f"{lan.COOKIE}={forged}"}
        assert client.get("/", headers=cookie).status_code == 401
        with client.websocket_connect("/v1/stream", headers=cookie) as socket:
            assert socket.receive_json()["error_type"] == "unauthorized"
            with pytest.raises(WebSocketDisconnect):
                socket.receive_text()


def test_a_program_gets_a_key_and_looking_ahead_spends_nothing(client: TestClient, shown: Tokens) -> None:
    assert client.head(f"/join/{shown[0]}").status_code == 204
    assert client.get(f"/join/{shown[0]}", headers={"Sec-Purpose": "prefetch;prerender"}).status_code == 204
    key = client.post(f"/join/{shown[0]}").json()["api_key"]
    assert client.get("/v1/sessions", headers={"X-API-KEY": key}).text == "local"
    assert client.get("/join/wrong").status_code == 403


def test_the_invitation_is_a_link_and_the_same_in_squares() -> None:
    text = lan.invitation("https://192.0.2.7:8080", "token")
    assert "open https://192.0.2.7:8080/join/token\n" in text
    assert len(text.splitlines()) > 15 and "\x1b" not in text


def test_addresses_are_those_that_others_can_use() -> None:
    assert lan.addresses("192.0.2.7") == ["192.0.2.7"]
    assert lan.addresses("0.0.0.0")


def test_a_device_in_another_network_is_let_in_once_and_styled(tmp_path: Path) -> None:
    """A real server with --lan in one network namespace, a browser's requests and the SDK in another."""
    if subprocess.run(["unshare", "-n", "ip", "link", "show"], capture_output=True).returncode:
        pytest.skip("network namespaces are needed: root, and the Debian package iproute2")
    command = ["unshare", "-n", sys.executable, str(VISIT), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["stranger"] == 401 and said["first"] == 303 and said["second"] == 410 and said["page"] == 200
    assert "This link has been used" in said["second_text"]
    assert said["links"] == 2 and said["qr"], "the next device has a link of its own"
    assert said["plain_http"] is False and said["styled"]
