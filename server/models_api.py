"""`/v1/models/resolve` and `/v1/realtime/quota`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from reverie.server import catalogue
from reverie.server.access import caller_of
from reverie.server.errors import Refused
from reverie.server.node import Node

router = APIRouter(prefix="/v1")


class Names(BaseModel):
    model: str | None = Field(None, max_length=100)
    models: list[Annotated[str, Field(max_length=100)]] | None = Field(None, max_length=100)


class Resolved(BaseModel):
    model_id: str | None = None
    model_ids: list[str] | None = None


class Quota(BaseModel):
    limit: int
    active: int
    remaining: int


@router.post("/models/resolve", operation_id="resolveModels", response_model_exclude_none=True)
def resolve(request: Request, asked: Names) -> Resolved:
    """The model behind a name, or behind each of several."""
    served = request.app.state.node.settings.model
    for name in [asked.model, *(asked.models or ())]:
        if name is not None and not catalogue.names(name, served):
            raise Refused(400, "model_not_found", f"there is no model {name[:60]!r} here; this server runs {served}")
    if (asked.model is None) == (asked.models is None):
        raise Refused(400, "bad_request", "give either model or models")
    return Resolved(model_id=served) if asked.models is None else Resolved(model_ids=[served for _ in asked.models])


@router.get("/realtime/quota", operation_id="realtimeQuota")
async def quota(request: Request) -> Quota:
    """How many sessions the caller's tenant may have at once, has, and may still begin."""
    node: Node = request.app.state.node
    tenant = caller_of(request).tenant
    limit, active = tenant.sessions or node.settings.max_sessions, node.sessions_of(tenant)
    return Quota(limit=limit, active=active, remaining=max(0, limit - active))
