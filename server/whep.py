"""`POST /whep/{session}`: somebody watches a session (draft-ietf-wish-whep, the flow that is answered with 201)."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from reverie.server.access import caller_of
from reverie.server.errors import AtCapacity, Refused, ServiceError
from reverie.server.ice import ice_servers
from reverie.server.node import Node
from reverie.server.preflight import ENDPOINT
from reverie.server.resource import Resource, failure, read_offer
from reverie.server.sdp import check_play
from reverie.server.viewer import Viewer


async def endpoint(request: Request) -> Response:
    """POST opens a view: 201; 404 if there is no such session."""
    node: Node = request.app.state.node
    try:
        session = node.find(request.path_params["session"], caller_of(request).tenant.name)
        if session is None:
            raise Refused(404, "no_session", "there is no such session, or it has ended")
        if request.method not in ("GET", "HEAD", "POST"):
            return Response(status_code=405, headers={"allow": ENDPOINT["allow"]})
        if request.method != "POST":
            return Response(status_code=200, headers={"content-type": "application/sdp"})
        sdp, ufrag = await read_offer(request, check_play)
        if session.output.viewers >= node.settings.max_viewers:
            raise AtCapacity(node.settings.max_viewers, what="viewers of this session")
        over = asyncio.Event()
        viewer = Viewer(session, node.settings, over.set)
        answer = await viewer.answer(sdp)
    except (Refused, ServiceError) as error:
        node.metrics.refused.labels(error.code).inc()
        return failure(error)
    made = Resource("/whep", ufrag, session.tenant, viewer, over, viewer.close)
    node.keep(made)
    return made.created(answer, [server.link() for server in ice_servers(node.settings)])
