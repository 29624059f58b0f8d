"""Host and Origin: default deny."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from reverie.server.guard import Guard, host_of


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/", lambda request: PlainTextResponse("hello")), WebSocketRoute("/ws", echo)]
    guard = Middleware(Guard, hosts=["reverie.lan"], origins=["https://studio.example"])
    return TestClient(Starlette(routes=routes, middleware=[guard]), base_url="http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8080", None, 200), ("localhost:8080", None, 200), ("[::1]:8080", None, 200), ("127.0.0.2", None, 200),
        ("reverie.lan:8080", None, 200), ("127.0.0.1:8080", "http://127.0.0.1:8080", 200),
        ("127.0.0.1:8080", "https://studio.example", 200), ("reverie.lan:8080", "https://reverie.lan:8080", 200),
        ("evil.example", None, 421), ("127.0.0.1.evil.example", None, 421), ("", None, 421), ("10.0.0.1", None, 421),
        ("user@127.0.0.1", None, 421), ("127.0.0.1:x", None, 421),
        ("127.0.0.1:8080", "http://evil.example", 403), ("127.0.0.1:8080", "null", 403),
        ("127.0.0.1:8080", "http://127.0.0.1:9999", 403), ("127.0.0.1:8080", "http://studio.example", 403),
        ("127.0.0.1:8080", "http://localhost:8080", 403), ("127.0.0.1:8080", "file://127.0.0.1:8080", 403),
        ("127.0.0.1:8080", "http://[", 403), ("127.0.0.1:8080", "http://[::1", 403),
        ("evil.example", "http://evil.example", 421),
    ],
)  # fmt: skip
def test_who_may_pass(client: TestClient, host: str, origin: str | None, status: int) -> None:
    headers = {"host": host} | ({"origin": origin} if origin is not None else {})
    answer = client.get("/", headers=headers)
    assert answer.status_code == status
    assert (answer.text == "hello") == (status == 200)
    if status == 200:
        with client.websocket_connect("/ws", headers=headers) as socket:
            assert socket.receive_text() == "hello"
    else:
        assert answer.text.strip() and "\n" not in answer.text.strip()
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers=headers):
            pass


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}])
def test_decarts_sdks_are_told_why_and_nothing_else(client: TestClient, headers: dict[str, str]) -> None:
    query = "user_agent=decart-js-sdk%2F0.1.20+lang%2Fjs"
    with client.websocket_connect(f"/v1/stream?{query}", headers=headers) as socket:
        told = socket.receive_json()
        assert told["type"] == "error" and "not allowed" in told["error"] and "REVERIE_" in told["error"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 1008
    for address in ("/v1/stream", f"/ws?{query}", "/v1/stream?user_agent=x"):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(address, headers=headers):
            pass


def test_answers_carry_headers_that_keep_pages_in_their_place(client: TestClient) -> None:
    headers = client.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_hosts_are_read_from_their_header() -> None:
    assert host_of("LocalHost:80") == "localhost"
    assert host_of("[::1]:80") == "::1"
    assert host_of("a/b") == host_of("a?b") == host_of("[bad") == ""
