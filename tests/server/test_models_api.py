"""Names and places."""

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


def test_names_are_resolved_to_the_model_that_runs(client: TestClient) -> None:
    assert client.post("/v1/models/resolve", json={"model": "lucy-latest"}).json() == {"model_id": "toy"}
    both = client.post("/v1/models/resolve", json={"models": ["toy", "mirage"]}).json()
    assert both == {"model_ids": ["toy", "toy"]}
    for body in ({"model": "gpt"}, {}, {"model": "toy", "models": []}, {"models": ["toy", "gpt"]}):
        assert client.post("/v1/models/resolve", json=body).status_code == 400


def test_the_quota_counts_sessions(client: TestClient) -> None:
    assert client.get("/v1/realtime/quota").json() == {"limit": 4, "active": 0, "remaining": 4}
