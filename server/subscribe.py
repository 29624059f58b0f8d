"""`/subscribe/{session}`: a viewer of the plain WebRTC generation; one WebSocket is one viewer."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket

from reverie.client.protocol import Answer, Candidate, Failure, Offer, parse
from reverie.server.access import caller_of
from reverie.server.errors import AtCapacity, NoSession
from reverie.server.node import Node
from reverie.server.signaling import Inbox, Sender, visit
from reverie.server.viewer import Viewer

OVER = "the session has ended"


async def subscribe(socket: WebSocket) -> None:
    """Show a session of the caller's tenant until one of them ends."""
    async with visit(socket, OVER) as here:
        await _serve(socket, here.inbox, here.send)


async def _serve(socket: WebSocket, inbox: Inbox, send: Sender) -> None:
    node: Node = socket.app.state.node
    session = node.find(socket.path_params["session"], caller_of(socket).tenant.name)
    if session is None:
        raise NoSession
    if session.output.viewers >= node.settings.max_viewers:
        raise AtCapacity(node.settings.max_viewers, what="viewers of this session")
    over = asyncio.Event()
    viewer = Viewer(session, node.settings, over.set)
    try:
        while (packet := await inbox.next(over)) is not None:
            data = packet.get("text")
            try:
                match parse(data if data is not None else packet.get("bytes") or b""):
                    case Offer(sdp):
                        send(Answer(await viewer.answer(sdp)))
                    case Candidate() as candidate:
                        await viewer.add_candidate(candidate)
                    case other:
                        raise ValueError(f"a viewer sends an offer and candidates, no {other.type}")
            except ValueError as error:
                send(Failure(str(error), "bad_request"))
    finally:
        await viewer.close()
