"""`POST /v1/client/tokens` and `/.well-known/jwks.json`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from reverie.server.access import Access, caller_of
from reverie.server.client_tokens import SHORT, Grant
from reverie.server.errors import Refused

router = APIRouter()
MAX_METADATA = 1000  # characters as JSON; a token travels in an address
Name = Annotated[str, Field(min_length=1, max_length=100)]


class RealtimeConstraints(BaseModel):
    maxSessionDuration: int | None = Field(None, ge=10, le=86_400, description="seconds that a session may take")


class Constraints(BaseModel):
    realtime: RealtimeConstraints | None = None


class TokenRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    metadata: dict[str, Any] | None = Field(None, description="kept in the token, for you; 1000 characters as JSON")
    expiresIn: int = Field(60, ge=1, le=3600, description="seconds in which the token may be used to connect")
    allowedModels: list[Name] | None = Field(None, max_length=20)
    allowedOrigins: list[Name] | None = Field(None, max_length=20, description="Origin headers, compared exactly")
    constraints: Constraints | None = None

    @field_validator("metadata")
    @classmethod
    def short(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None and (size := len(json.dumps(value))) > MAX_METADATA:
            raise ValueError(f"has {size} characters as JSON, may have {MAX_METADATA}")
        return value


class Permissions(BaseModel):
    models: list[str] | None = None
    origins: list[str] | None = None


class TokenAnswer(BaseModel):
    apiKey: str = Field(description="the token with ek_ before it: either may be used as an API key")
    token: str = Field(description="a JWT, EdDSA")
    expiresAt: str = Field(description="ISO 8601, UTC")
    permissions: Permissions | None = None
    constraints: Constraints | None = None


@router.post("/v1/client/tokens", operation_id="createClientToken", response_model_exclude_none=True)
def create(request: Request, asked: Annotated[TokenRequest | None, Body()] = None) -> TokenAnswer:
    """A short-lived credential for a browser.  It cannot make others, and its end ends no session."""
    caller, asked = caller_of(request), asked or TokenRequest()
    if caller.grant is not None:
        raise Refused(403, "unauthorized", "permission denied: a client token cannot make others; use an API key")
    access: Access = request.app.state.access
    listed = lambda names: tuple(names) if names is not None else None
    realtime = asked.constraints.realtime if asked.constraints else None
    grant = Grant(
        caller.tenant.name, listed(asked.allowedModels), listed(asked.allowedOrigins),
        realtime.maxSessionDuration if realtime else None, caller.credential[:SHORT],
    )  # fmt: skip
    token, expires = access.signer.sign(grant, asked.expiresIn, asked.metadata)
    restricted = grant.models is not None or grant.origins is not None
    return TokenAnswer(
        apiKey=f"ek_{token}", token=token,
        expiresAt=datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z"),
        permissions=Permissions(models=asked.allowedModels, origins=asked.allowedOrigins) if restricted else None,
        constraints=asked.constraints,
    )  # fmt: skip


@router.get("/.well-known/jwks.json", operation_id="jwks")
def jwks(request: Request) -> dict[str, list[dict[str, str]]]:
    """The public key that client tokens are signed with (RFC 7517, RFC 8037)."""
    access: Access = request.app.state.access
    return {"keys": [access.signer.jwk]}
