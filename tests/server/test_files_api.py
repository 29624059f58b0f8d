"""Uploads, and whose they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reverie.server.access import new_key
from reverie.server.app import make
from reverie.server.files import Files
from reverie.server.settings import Settings

(KEY, LINE), (OTHER, SECOND) = new_key("studio"), new_key("other")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "keys").write_text(f"{LINE}\n{SECOND}")
    settings = Settings(model="toy", data=str(tmp_path), api_keys_file=str(tmp_path / "keys"))
    with TestClient(make(settings), base_url="http://127.0.0.1:8080", headers={"x-api-key": KEY}) as client:
        yield client


def test_a_file_is_kept_told_of_and_deleted(client: TestClient) -> None:
    made = client.post("/v1/files", files={"file": ("../a.png", b"abc", "image/png")}).json()
    assert (made["filename"], made["mime_type"], made["size_bytes"]) == ("a.png", "image/png", 3)
    assert made["id"].startswith("file_") and made["expires_at"] > made["created_at"]
    assert client.get(f"/v1/files/{made['id']}").json() == made
    assert client.get(f"/v1/files/{made['id']}", headers={"x-api-key": OTHER}).status_code == 404
    assert client.delete(f"/v1/files/{made['id']}", headers={"x-api-key": OTHER}).status_code == 404
    assert client.delete(f"/v1/files/{made['id']}").status_code == 204
    assert client.get(f"/v1/files/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("ttl", "status"), [("persistent", 200), ("60", 200), ("59", 400), ("x", 400), ("9999999", 400)]
)
def test_how_long_a_file_is_kept(client: TestClient, ttl: str, status: int) -> None:
    answer = client.post("/v1/files", files={"file": ("a", b"abc")}, data={"ttl_seconds": ttl})
    assert answer.status_code == status
    assert (answer.json().get("expires_at") is None) == (ttl == "persistent" or status == 400)


def test_names_that_are_paths_find_nothing_and_no_file_is_an_error(client: TestClient) -> None:
    for name in ("..%2F..%2Fkeys", "file_", "file_" + "a" * 24, "file_" + "a" * 24 + ".json"):
        assert client.get(f"/v1/files/{name}").status_code == 404
    assert client.post("/v1/files", data={"ttl_seconds": "60"}).status_code == 400


def test_an_expired_file_is_gone(tmp_path: Path) -> None:
    files = Files(tmp_path)
    stored = files.put("studio", b"x", "a", "text/plain", -1)
    assert files.find("studio", stored.id) is None
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_what_nobody_asks_for_again_goes_with_the_next_upload(tmp_path: Path) -> None:
    files = Files(tmp_path)
    over = files.put("studio", b"x", "a", "text/plain", -1)
    kept = files.put("studio", b"x", "b", "text/plain", 60)
    assert {path.stem for path in tmp_path.rglob("file_*")} == {kept.id} != {over.id}


def test_the_disk_is_never_filled(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reverie.server.files.MIN_FREE", 1 << 60)
    answer = client.post("/v1/files", files={"file": ("a", b"abc")})
    assert (answer.status_code, answer.json()["error_type"]) == (507, "disk_full")
