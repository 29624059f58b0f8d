"""Client tokens over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient

from reverie.server.access import new_key
from reverie.server.app import make
from reverie.server.settings import Settings

KEY, LINE = new_key("studio")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "keys").write_text(LINE)
    settings = Settings(
        model="toy", data=str(tmp_path), api_keys_file=str(tmp_path / "keys"), origins=("https://me.example",)
    )
    with TestClient(make(settings), base_url="http://127.0.0.1:8080", headers={"x-api-key": KEY}) as client:
        yield client


def test_a_token_says_what_it_allows_and_when_it_ends(client: TestClient) -> None:
    body = {
        "metadata": {"role": "viewer"}, "expiresIn": 120, "allowedModels": ["toy"],
        "allowedOrigins": ["https://me.example"], "constraints": {"realtime": {"maxSessionDuration": 10}},
    }  # fmt: skip
    made = client.post("/v1/client/tokens", json=body).json()
    assert made["apiKey"] == f"ek_{made['token']}"
    assert made["permissions"] == {"models": ["toy"], "origins": ["https://me.example"]}
    assert made["constraints"] == {"realtime": {"maxSessionDuration": 10}}
    left = datetime.fromisoformat(made["expiresAt"]) - datetime.now(UTC)
    assert 110 < left.total_seconds() <= 120
    keys = client.get("/.well-known/jwks.json", headers={"x-api-key": ""}).json()
    public = jwt.PyJWKSet.from_dict(keys).keys[0]
    claims = jwt.decode(made["token"], public, ["EdDSA"], audience="reverie", issuer="reverie")
    assert claims["sub"] == "studio"


def test_an_empty_request_makes_a_token_for_a_minute(client: TestClient) -> None:
    for answer in (client.post("/v1/client/tokens"), client.post("/v1/client/tokens", json={})):
        assert answer.status_code == 200
        assert answer.json().keys() == {"apiKey", "token", "expiresAt"}


def test_a_token_makes_no_token_and_none_is_made_without_a_key(client: TestClient) -> None:
    token = client.post("/v1/client/tokens").json()["apiKey"]
    refused = client.post("/v1/client/tokens", headers={"x-api-key": token})
    assert refused.status_code == 403 and "permission denied" in refused.json()["detail"]
    assert client.post("/v1/client/tokens", headers={"x-api-key": "dct_x"}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"expiresIn": 0}, {"expiresIn": 3601}, {"expiresIn": "60"}, {"allowedModels": ["m"] * 21}, {"allowedModels": [1]},
        {"allowedOrigins": ["o"] * 21}, {"allowedOrigins": [""]}, {"constraints": {"realtime": {"maxSessionDuration": 9}}},
        {"metadata": {"x": "y" * 2000}}, {"metadata": []}, [], "x",
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_one_sentence(client: TestClient, body: Any) -> None:
    answer = client.post("/v1/client/tokens", json=body)
    assert answer.status_code == 400
    assert answer.json()["error_type"] == "bad_request" and "\n" not in answer.json()["detail"]


def test_pages_of_listed_origins_may_read_the_answers(client: TestClient) -> None:
    asks = {
        "origin": "https://me.example", "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key,content-type,user-agent", "x-api-key": "",
    }  # fmt: skip
    preflight = client.options("/v1/client/tokens", headers=asks)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://me.example"
    assert "x-api-key" in preflight.headers["access-control-allow-headers"].lower()
    answer = client.post("/v1/client/tokens", headers={"origin": "https://me.example"})
    assert answer.headers["access-control-allow-origin"] == "https://me.example"
    assert client.post("/v1/client/tokens", headers={"origin": "https://evil.example"}).status_code == 403
    refused = client.post("/v1/client/tokens", headers={"origin": "https://me.example", "x-api-key": "no"})
    assert refused.status_code == 401 and refused.headers["access-control-allow-origin"] == "https://me.example"
