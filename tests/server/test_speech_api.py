"""Spoken prompts over HTTP."""

import pytest
from starlette.testclient import TestClient

from reverie.server import speech, speech_api
from reverie.server.app import make
from reverie.server.settings import Settings


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(make(Settings(model="toy")), base_url="http://127.0.0.1:8080")


def test_words_come_back(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "is_here", lambda: True)
    monkeypatch.setattr(speech, "words", lambda data: f"{len(data)} bytes")
    assert client.get("/v1/speech").json() == {"available": True}
    assert client.post("/v1/speech", content=b"abc").json() == {"text": "3 bytes"}


def test_refusals_have_codes_and_sentences(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "is_here", lambda: True)
    answer = client.post("/v1/speech", content=b"nonsense")
    assert (answer.status_code, answer.json()["error_type"]) == (400, "bad_sound")
    answer = client.post("/v1/speech", content=bytes(speech_api.MAX_BYTES + 1))
    assert (answer.status_code, answer.json()["error_type"]) == (413, "too_large")
    monkeypatch.setattr(speech, "is_here", lambda: False)
    answer = client.post("/v1/speech", content=b"abc")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "no_speech") and "pip install" in answer.text
    assert client.get("/v1/speech").json() == {"available": False}
