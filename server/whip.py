"""`POST /whip`: OBS, FFmpeg or any other publisher sends its camera (RFC 9725); nobody needs a WebSocket.

The address may ask for a look and a name: /whip?prompt=watercolour&strength=0.8&seed=1&enhance=1&session=studio.
Without a name the session has an unguessable one, which the header Reverie-Session tells.  The look changes by
`POST /v1/sessions/{session}/prompt`, and `/whep/{session}` shows the picture.
"""

from __future__ import annotations

import json
import re
import uuid
from contextlib import AsyncExitStack
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reverie.client.protocol import ChangeSettings, Prompt, parse
from reverie.server.access import caller_of
from reverie.server.errors import Declined, Elsewhere, Refused, ServiceError
from reverie.server.ice import ice_servers
from reverie.server.node import Node
from reverie.server.preflight import ENDPOINT, RESOURCE
from reverie.server.publisher import Publisher
from reverie.server.resource import Resource, failure, read_offer
from reverie.server.sdp import check_publish

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def endpoint(request: Request) -> Response:
    """POST opens a session: 201; GET says nothing (RFC 9725, 4.2)."""
    if request.method in ("GET", "HEAD"):
        return Response(status_code=204)
    if request.method != "POST":
        return Response(status_code=405, headers={"allow": ENDPOINT["allow"]})
    node: Node = request.app.state.node
    try:
        sdp, ufrag = await read_offer(request, check_publish)
        return await _open(node, request, sdp, ufrag)
    except Elsewhere as other:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{other.url}{request.url.path}{query}", 307)
    except Declined as refusal:
        return failure(Refused(refusal.status, refusal.code, str(refusal)))
    except (Refused, ServiceError) as error:
        node.metrics.refused.labels(error.code).inc()
        return failure(error)


async def resource(request: Request) -> Response:
    """What was made by POST: PATCH trickles candidates or restarts ICE, DELETE ends it."""
    node: Node = request.app.state.node
    name = request.path_params["id"]
    found: Resource | None = node.resources.get(name)
    if found is None and request.method == "DELETE":  # its peer hung up first, as browsers' clients do
        found = node.gone.pop(name, None)
    if found is None or found.tenant != caller_of(request).tenant.name or request.url.path != found.location:
        return failure(Refused(404, "no_session", "there is no such session, or it has ended"))
    if request.method == "DELETE":
        found.deleted = True
        await found.end()
        return Response(status_code=200)
    if request.method == "PATCH":
        try:
            return await found.patch(request)
        except Refused as refusal:
            return failure(refusal)
    if request.method not in ("GET", "HEAD"):
        return Response(status_code=405, headers={"allow": RESOURCE["allow"]})
    return Response(status_code=204, headers={"etag": found.etag})


async def _open(node: Node, request: Request, sdp: str, ufrag: str) -> Response:
    caller, query = caller_of(request), request.query_params
    prompt, settings, name = look(query)
    caller.may_use(node.settings.model)
    if name and (before := next((each for each in node.sessions if each.id == name), None)) is not None:
        if before.tenant != caller.tenant.name:
            raise Refused(409, "name_taken", f"the session {name!r} is somebody else's")
        before.over.set()  # whoever publishes again under its name takes over
        for made in [each for each in node.resources.values() if each.over is before.over]:
            await made.end()
    async with AsyncExitStack() as stack:
        session_id = name or uuid.uuid4().hex
        if not node.fleet.alone and node.model is not None:
            await stack.enter_async_context(node.claim(session_id, caller, stay=False))
        session = stack.enter_context(node.admit(caller, query.get("model", ""), lambda message: None, session_id))
        stack.push_async_callback(session.close, "disconnect")
        session.change(settings.strength, settings.seed)
        if prompt.prompt.strip():
            await session.set_prompt(prompt.prompt, prompt.enhance_prompt)
        publisher = Publisher(session, node.settings, shown=False)
        stack.push_async_callback(publisher.close)
        answer = await publisher.answer(sdp)
        leave = stack.pop_all()
    kept = Resource("/whip", ufrag, caller.tenant.name, publisher, session.over, leave.aclose)
    node.keep(kept)
    created = kept.created(answer, [server.link() for server in ice_servers(node.settings)])
    created.headers["reverie-session"] = session.id
    return created


def look(query: QueryParams) -> tuple[Prompt, ChangeSettings, str]:
    """What an address asks for: a prompt, strength and seed, a name.  Raises Refused."""
    name = query.get("session", "")
    if name and not NAME.fullmatch(name):
        raise Refused(400, "bad_request", "a session's name has 1 to 64 letters, digits, dashes and underscores")
    wanted: dict[str, Any] = {}
    try:
        if "strength" in query:
            wanted["strength"] = float(query["strength"])
        if "seed" in query:
            wanted["seed"] = int(query["seed"])
        enhance = query.get("enhance", "") in ("1", "true")
        prompt = parse(json.dumps({"type": "prompt", "prompt": query.get("prompt", ""), "enhance_prompt": enhance}))
        settings = parse(json.dumps({"type": "settings", **wanted}))
    except ValueError as error:
        raise Refused(400, "bad_request", str(error)) from None
    assert isinstance(prompt, Prompt) and isinstance(settings, ChangeSettings)
    return prompt, settings, name
