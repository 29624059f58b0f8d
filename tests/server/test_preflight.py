"""OPTIONS of WHIP and WHEP, for curious programs and for browsers' pages of listed origins."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from reverie.server.app import make
from reverie.server.settings import Settings

PAGE = "https://studio.example"


@pytest.fixture
def client() -> Iterator[TestClient]:
    settings = Settings(model="toy", origins=(PAGE,))
    with TestClient(make(settings), base_url="http://127.0.0.1:8080") as client:
        yield client
    asyncio.set_event_loop(None)


@pytest.mark.parametrize("path", ["/whip", "/whep/abc"])
@pytest.mark.parametrize("origin", [None, PAGE])
def test_endpoints_say_what_may_be_posted(client: TestClient, path: str, origin: str | None) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"} if origin else {}
    answer = client.options(path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["accept-post"] == "application/sdp"
    assert answer.headers.get("access-control-allow-origin") == origin
    assert {"Authorization", "Content-Type", "If-Match"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )
    assert {"POST", "PATCH", "DELETE", "OPTIONS"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert {"Location", "Link", "ETag"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_resources_say_what_may_be_patched(client: TestClient) -> None:
    answer = client.options("/whip/r/abc")
    assert answer.headers["accept-patch"] == "application/trickle-ice-sdpfrag"


def test_pages_of_other_origins_are_refused_before(client: TestClient) -> None:
    assert client.options("/whip", headers={"Origin": "https://evil.example"}).status_code == 403


def test_other_paths_go_on(client: TestClient) -> None:
    assert "accept-post" not in client.options("/healthz").headers


def test_answers_to_listed_pages_let_them_read_location_and_etag(client: TestClient) -> None:
    answer = client.get("/whip", headers={"Origin": PAGE})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {"location", "link", "etag"} <= set(answer.headers["access-control-expose-headers"].split(", "))
