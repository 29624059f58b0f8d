"""No key, no answer; and no key further on."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from reverie.server.access import Access, caller_of, new_key
from reverie.server.gate import Gate
from reverie.server.settings import Settings


class Node:
    class metrics:
        class refused:
            @staticmethod
            def labels(code: str) -> Any:
                return type("Counter", (), {"inc": staticmethod(lambda: None)})


def seen(connection: HTTPConnection) -> dict[str, Any]:
    known = hasattr(connection.state, "caller")
    return {
        "query": connection.scope["query_string"].decode(),
        "tenant": caller_of(connection).tenant.name if known else None,
        "room_token": connection.state.room_token,
    }


def show(request: Request) -> JSONResponse:
    return JSONResponse(seen(request))


async def tell(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json(seen(socket))
    await socket.close()


KEY, LINE = new_key("studio")


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "keys").write_text(LINE)
    access = Access(Settings(api_keys_file=str(tmp_path / "keys"), data=str(tmp_path)))
    paths = ("/", "/v1/files", "/metrics", "/web/x", "/webhooks", "/rtc/v1")
    routes = [*(Route(path, show) for path in paths), WebSocketRoute("/v1/stream", tell), WebSocketRoute("/rtc", tell)]
    app = Starlette(routes=routes, middleware=[Middleware(Gate, access=access)])
    app.state.node = Node()
    return TestClient(app)


@pytest.mark.parametrize(
    "given", [{"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}]
)
def test_a_key_in_either_header_opens(client: TestClient, given: dict[str, str]) -> None:
    assert client.get("/v1/files", headers=given).json()["tenant"] == "studio"


@pytest.mark.parametrize("path", ["/v1/files", "/metrics", "/webhooks"])
def test_without_a_key_everything_is_closed_but_what_is_listed(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"x-api-key": "dct_wrong"})
    assert answer.status_code == 401
    assert answer.json()["error_type"] == "unauthorized" and "dct_wrong" not in answer.text
    for open_path in ("/", "/web/x", "/rtc/v1"):
        assert client.get(open_path).json()["tenant"] is None


def test_secrets_leave_the_address(client: TestClient) -> None:
    with client.websocket_connect(f"/v1/stream?model=a%20b&api_key={KEY}&speed=") as socket:
        assert socket.receive_json() == {"query": "model=a+b&speed=", "tenant": "studio", "room_token": ""}
    with client.websocket_connect("/rtc?access_token=room-secret&sdk=js") as socket:
        assert socket.receive_json() == {"query": "sdk=js", "tenant": None, "room_token": "room-secret"}
    bearer = {"authorization": "Bearer room-secret"}
    assert client.get("/rtc/v1", headers=bearer).json()["room_token"] == "room-secret"


def test_a_websocket_is_told_why_before_it_is_closed(client: TestClient) -> None:
    with client.websocket_connect("/v1/stream?api_key=wrong") as socket:
        told = socket.receive_json()
        assert told["type"] == "error" and "Invalid API key" in told["error"] and told["error_type"] == "unauthorized"
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 1008
