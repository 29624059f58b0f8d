"""What every part of the HTTP API answers in the same way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reverie.server.app import make
from reverie.server.settings import Settings


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(make(Settings(model="toy", data=str(tmp_path))), base_url="http://127.0.0.1:8080") as client:
        yield client


def test_failures_are_json_with_a_sentence_and_a_code(client: TestClient) -> None:
    for answer, status, code in (
        (client.get("/v1/nothing"), 404, "not_found"),
        (client.put("/v1/client/tokens"), 405, "method_not_allowed"),
        (client.post("/v1/client/tokens", content=b"{"), 400, "bad_request"),
    ):
        body = answer.json()
        assert (answer.status_code, body["error_type"]) == (status, code)
        assert body["detail"] == body["error"] and body["detail"]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "the body is not JSON"),
        ({"content": b"{}"}, "the body must be a JSON object, sent as application/json"),
        ({"json": []}, "the body must be a JSON object, sent as application/json"),
        ({"json": {"expiresIn": "60"}}, "expiresIn: Input should be a valid integer"),
    ],
)
def test_a_body_that_cannot_be_used_is_told_in_words(client: TestClient, sent: dict, text: str) -> None:
    assert client.post("/v1/client/tokens", **sent).json()["detail"] == text


def test_the_document_is_served(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1") and "/v1/client/tokens" in document["paths"]
