"""`/v1/stream`: one WebSocket is one session."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from reverie.client.protocol import (
    Answer,
    Candidate,
    ChangeSettings,
    Failure,
    FromServer,
    LivekitJoin,
    Offer,
    Prompt,
    PromptAck,
    Record,
    SessionId,
    SetImage,
    SetImageAck,
    SettingsAck,
    encode,
    parse,
)  # fmt: skip
from reverie.server.access import caller_of
from reverie.server.errors import NoMasks, PromptDenied, ServiceError, Unsupported
from reverie.server.node import Node
from reverie.server.publisher import Publisher
from reverie.server.session import Session

log = logging.getLogger(__name__)
BACKLOG = 256  # messages that a client may leave unread


async def stream(socket: WebSocket) -> None:
    """Serve one client until it hangs up.  Any error but ServiceError is a bug: it keeps its traceback."""
    node: Node = socket.app.state.node
    await socket.accept()
    outbox: asyncio.Queue[FromServer | None] = asyncio.Queue(BACKLOG)
    writer = asyncio.create_task(_write(socket, outbox))
    visit = asyncio.current_task()
    assert visit is not None
    node.visits.add(visit)
    code = 1001  # Going Away: it is the server that ends, RFC 6455 section 7.4.1
    try:
        with node.admit(socket.query_params.get("model", ""), _sender(outbox)) as session:
            _sender(outbox)(SessionId(session.id, *_address(socket)))
            session.tenant = caller_of(socket).tenant.name
            node.sessions[session] = None
            publisher = Publisher(session, node.settings)
            try:
                await _converse(socket, node, session, publisher, _sender(outbox))
            finally:
                del node.sessions[session]
                await session.close("disconnect")
                await publisher.close()
    except ServiceError as error:
        node.metrics.refused.labels(error.code).inc()
        _sender(outbox)(Failure(str(error), error.code))
        code = error.close_code
    except WebSocketDisconnect:
        pass
    finally:
        visit.add_done_callback(node.visits.discard)
        with suppress(asyncio.QueueFull):
            outbox.put_nowait(None)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(writer, 2)
        if socket.application_state is WebSocketState.CONNECTED and socket.client_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError):
                await socket.close(code)


async def _converse(socket: WebSocket, node: Node, session: Session, publisher: Publisher, send: Sender) -> None:
    while (packet := await _receive(socket, session.over)) and packet["type"] != "websocket.disconnect":
        data = packet.get("text")
        try:
            message = parse(data if data is not None else packet.get("bytes") or b"")
            if isinstance(message, Record):
                await node.recordings.obey(session, message, send)
            else:
                await _obey(message, session, publisher, send)
        except ValueError as error:
            send(Failure(str(error), "bad_request"))


async def _receive(socket: WebSocket, over: asyncio.Event) -> Message | None:
    """What the client sends next; None when the session is over first."""
    tasks = asyncio.create_task(socket.receive()), asyncio.create_task(over.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else None
    finally:
        for task in tasks:
            task.cancel()


async def _obey(message: object, session: Session, publisher: Publisher, send: Sender) -> None:
    """Raises: ValueError if it cannot be done; ServiceError if the session must end."""
    match message:
        case Prompt(prompt, enhance, parts, transition_s, mask):
            if not prompt.strip() and not parts:
                return send(PromptAck(prompt, False, "the prompt is empty; set_image with nulls shows the camera"))
            try:
                await session.set_prompt(prompt, enhance, parts, transition_s, mask)
            except (PromptDenied, NoMasks) as refusal:
                return send(PromptAck(prompt, False, str(refusal)))
            send(PromptAck(prompt, True))
        case SetImage(image, reference, prompt, enhance):
            if image is not None or reference is not None:
                return send(SetImageAck(False, "reference pictures are not supported yet; set a prompt instead"))
            try:
                await session.set_prompt(prompt or "", enhance)
            except PromptDenied as refusal:
                return send(SetImageAck(False, str(refusal)))
            send(SetImageAck(True))
        case ChangeSettings(strength, seed, tell_frames, mask):
            try:
                session.change(strength, seed, mask)
            except NoMasks as refusal:
                return send(SettingsAck(False, str(refusal)))
            if tell_frames is not None:
                session.tells_frames = tell_frames
            send(SettingsAck(True))
        case Offer(sdp):
            send(Answer(await publisher.answer(sdp)))
        case Candidate():
            await publisher.add_candidate(message)
        case LivekitJoin():
            raise Unsupported("this server speaks the plain WebRTC form: send an offer instead of livekit_join")


class Sender:
    """Queues messages for one client; a client that reads none is not waited for."""

    def __init__(self, outbox: asyncio.Queue[FromServer | None]) -> None:
        self._outbox = outbox

    def __call__(self, message: FromServer) -> None:
        if self._outbox.full():
            self._outbox.get_nowait()
        self._outbox.put_nowait(message)


def _sender(outbox: asyncio.Queue[FromServer | None]) -> Sender:
    return Sender(outbox)


async def _write(socket: WebSocket, outbox: asyncio.Queue[FromServer | None]) -> None:
    while (message := await outbox.get()) is not None:
        try:
            await socket.send_text(encode(message))
        except (WebSocketDisconnect, RuntimeError):
            return  # the reader notices as well and ends the session


def _address(socket: WebSocket) -> tuple[str, int]:
    host, port = socket.scope.get("server") or ("", 0)
    return str(host), int(port or 0)
