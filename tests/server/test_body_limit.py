"""Large bodies are refused before they are read, or while they pass."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from reverie.server.app import make
from reverie.server.body_limit import BESIDE
from reverie.server.settings import Settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(model="toy", data=str(tmp_path_factory.mktemp("limit")), max_upload_mb=1)
    with TestClient(make(settings), base_url="http://127.0.0.1:8080") as client:
        yield client


def test_a_length_is_refused_before_the_body_is_read(server: object) -> None:
    address = urlsplit(server.url)  # type: ignore[attr-defined]
    for path, length in (("/v1/files", 300_000_000), ("/v1/recordings", 1_000_001), ("/whip", 10**30)):
        with socket.create_connection((address.hostname, address.port), 10) as connection:
            head = f"POST {path} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-length: {length}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(100).startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


def test_a_body_without_a_length_is_refused_where_it_passes(client: TestClient) -> None:
    pieces = (bytes(100_000) for _ in range(11))
    answer = client.post("/v1/client/tokens", content=pieces)
    assert answer.status_code == 413
    assert answer.json()["error_type"] == "too_large" and "1000000 are allowed" in answer.json()["detail"]


def test_an_upload_may_be_as_large_as_the_setting_says(client: TestClient) -> None:
    assert client.post("/v1/files", files={"file": ("a", bytes(1_000_000))}).status_code == 200
    assert client.post("/v1/files", files={"file": ("a", bytes(1_000_001))}).status_code == 413
    answer = client.post("/v1/files", content=b"", headers={"content-length": str(1_000_001 + BESIDE)})
    assert answer.status_code == 413
