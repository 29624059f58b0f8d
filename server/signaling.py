"""`/v1/stream`: one WebSocket is one session."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from reverie.client.protocol import (
    EffectSkipped,
    Failure,
    FrameShown,
    FromServer,
    Nodes,
    PromptEnhanced,
    SessionId,
    Status,
    encode,
    parse,
)  # fmt: skip
from reverie.server.access import caller_of
from reverie.server.conversation import Conversation
from reverie.server.errors import AtCapacity, Elsewhere, ServiceError
from reverie.server.fair import Ticket
from reverie.server.node import Node
from reverie.server.publisher import Publisher
from reverie.server.rejection import rejection
from reverie.server.returning import Hint
from reverie.server.session import Session

log = logging.getLogger(__name__)
SESSION = re.compile(r"[0-9a-f]{32}")  # an id that this service gave
BACKLOG = 256  # messages that a client may leave unread
UNREAD = 16  # of a client's messages; the next one waits in the network
PATIENCE_S = {"decart-python": 12.0}  # its SDK gives up after 15 s, and tries again if it is told
LONGEST_WAIT_S = 600.0
SILENT_S = 3.0
DECART, OURS = (
    "decart-",
    (EffectSkipped, FrameShown, PromptEnhanced, Status),
)  # its SDKs warn of each message they do not know
GOING_AWAY, CLEAN = 1001, (1000, 1001, 1005)  # RFC 6455 section 7.4.1


class Sender:
    """Queues messages for one client; a client that reads none is not waited for."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._decart = socket.query_params.get("user_agent", "").startswith(DECART)
        self._outbox: asyncio.Queue[FromServer | None] = asyncio.Queue(BACKLOG)
        self._writer = asyncio.create_task(self._write())

    def __call__(self, message: FromServer) -> None:
        if self._decart and isinstance(message, OURS):
            return
        if self._outbox.full():
            self._outbox.get_nowait()
        self._outbox.put_nowait(message)

    async def close(self, code: int, reason: str) -> None:
        """Say what is still to be said, then hang up if the client has not."""
        socket = self._socket
        with suppress(asyncio.QueueFull):
            self._outbox.put_nowait(None)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._writer, 2)
        if socket.application_state is WebSocketState.CONNECTED and socket.client_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError):
                await socket.close(code, reason)

    async def _write(self) -> None:
        while (message := await self._outbox.get()) is not None:
            try:
                await self._socket.send_text(encode(message))
            except (WebSocketDisconnect, RuntimeError):
                return  # the reader notices as well and ends the session


class Inbox:
    """What a client sends, read also while it waits for a place, so that it is noticed when it goes."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._packets: asyncio.Queue[Message] = asyncio.Queue(UNREAD)
        self.clean = False  # whether the client closed, and meant to
        self.gone = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def next(self, over: asyncio.Event) -> Message | None:
        """None when the session is over first, or the client gone."""
        tasks = asyncio.create_task(self._packets.get()), asyncio.create_task(over.wait())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            packet = tasks[0].result() if tasks[0].done() else None
            return packet if packet and packet["type"] != "websocket.disconnect" else None
        finally:
            for task in tasks:
                task.cancel()

    def close(self) -> None:
        self._reader.cancel()

    async def _read(self) -> None:
        while True:
            packet = await self._socket.receive()
            if packet["type"] == "websocket.disconnect":
                # uvicorn says 1005 of a lost connection as well, but gives no reason
                self.clean = "reason" in packet and packet.get("code") in CLEAN
                self.gone.set()
            await self._packets.put(packet)
            if self.gone.is_set():
                return


async def stream(socket: WebSocket) -> None:
    """Serve one client until it hangs up, or lead it to the node that has a place."""
    node: Node = socket.app.state.node
    caller, wanted = caller_of(socket), socket.query_params.get("session", "")
    session_id = wanted if SESSION.fullmatch(wanted) else uuid.uuid4().hex
    async with AsyncExitStack() as place:
        refused: ServiceError | None = None
        browser = "origin" in socket.headers  # cannot follow a redirect of a WebSocket
        try:
            if not node.fleet.alone and node.model is not None:
                await place.enter_async_context(node.claim(session_id, caller, browser))
        except Elsewhere as other:
            refused = other
            if not browser:
                query = urlencode({**socket.query_params, "session": session_id})
                where = f"{other.url.replace('http', 'ws', 1)}{socket.url.path}?{query}"
                return await socket.send_denial_response(RedirectResponse(where, 307))
        except ServiceError as error:
            refused = error
        for before in [each for each in node.sessions if each.id == session_id and each.tenant == caller.tenant.name]:
            before.over.set()  # its client has lost the network and comes back
        await _visit(socket, session_id, refused, place)


@dataclass
class Visit:
    """A client that is connected, and why it goes in the end."""

    send: Sender
    inbox: Inbox
    reason: str


@asynccontextmanager
async def visit(socket: WebSocket, reason: str) -> AsyncIterator[Visit]:
    """One WebSocket from its acceptance to its close; a ServiceError within is told, any other error is a bug."""
    node: Node = socket.app.state.node
    await socket.accept()
    here, task, code = Visit(Sender(socket), Inbox(socket), reason), asyncio.current_task(), GOING_AWAY
    assert task is not None
    node.visits.add(task)
    try:
        yield here
    except ServiceError as error:
        node.metrics.refused.labels(error.code).inc()
        here.send(Failure(str(error), error.code))
        code, here.reason = error.close_code, error.code
    finally:
        here.inbox.close()
        task.add_done_callback(node.visits.discard)
        await here.send.close(code, here.reason)


async def _visit(socket: WebSocket, session_id: str, refused: ServiceError | None, place: AsyncExitStack) -> None:
    async with visit(socket, "disconnect") as here:
        with ExitStack() as stack:
            session = await _enter(stack, socket, here.inbox, here.send, session_id, refused, place)
            if session is not None:
                here.reason = await _serve(socket, session, here.inbox, here.send)


async def _enter(
    stack: ExitStack, socket: WebSocket, inbox: Inbox, send: Sender, session_id: str, refused: ServiceError | None,
    place: AsyncExitStack,
) -> Session | None:  # fmt: skip
    """A session, at once or after waiting in line; None if the client goes.  Raises: ServiceError."""
    node: Node = socket.app.state.node
    caller, asked = caller_of(socket), socket.query_params.get("model", "")
    program = socket.query_params.get("user_agent", "")
    admit = lambda: stack.enter_context(node.admit(caller, asked, send, session_id))
    if not node.has_place(caller.tenant):
        _end_lost(node, _hint(socket))
    waits = program.startswith(DECART) or socket.query_params.get("queue") == "1"
    if refused is not None:
        if type(refused) is not AtCapacity or not waits:
            raise refused
        node.check(caller, asked)
        in_line = place.enter_async_context(node.claim(session_id, caller, "origin" in socket.headers, send))
        return admit() if await _patiently(in_line, node, program, inbox) else None
    ticket = Ticket(session_id, caller.tenant.name, caller.tenant.tier, time.monotonic())
    if not node.fleet.alone or node.model is None or node.draining:
        return admit()  # the fleet's line is behind it
    node.check(caller, asked)
    if not waits or node.line.full or node.line.turn(ticket):
        if len(node.line) and not node.line.turn(ticket):
            raise node.at_capacity()
        return admit()
    may: Callable[[], Session | None] = lambda: admit() if node.has_place(caller.tenant) else None
    session: Session | None = await _patiently(node.line.wait(ticket, may, send), node, program, inbox)
    return session


async def _patiently(waiting: Coroutine[Any, Any, Any], node: Node, program: str, inbox: Inbox) -> Any:
    """What one gets who waits; None if it goes.  Raises: ServiceError, AtCapacity once it has waited for too long."""
    patience_s = next((s for name, s in PATIENCE_S.items() if program.startswith(name)), LONGEST_WAIT_S)
    tasks = asyncio.create_task(waiting), asyncio.create_task(inbox.gone.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=patience_s)
        if tasks[0].done():
            return tasks[0].result() or True
        if inbox.gone.is_set():
            return None
        raise node.at_capacity()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _end_lost(node: Node, visitor: Hint) -> None:
    """The same client is here once more and its camera has gone silent there: that connection is dead."""
    for each in node.sessions:
        if each.visitor == visitor and each.camera_at and time.monotonic() - each.camera_at > SILENT_S:
            each.end("error")


async def _serve(socket: WebSocket, session: Session, inbox: Inbox, send: Sender) -> str:
    """Until one of both ends it; why it ended."""
    node: Node = socket.app.state.node
    send(SessionId(session.id, *_address(socket)))
    if node.fleet.urls:
        send(Nodes(node.fleet.urls))
    publisher = Publisher(session, node.settings)
    session.visitor = _hint(socket)
    conversation = Conversation(socket, session, publisher, send, session.visitor)
    grant = caller_of(socket).grant
    timer = None
    if grant is not None and grant.max_session_s is not None:
        timer = asyncio.get_running_loop().call_later(grant.max_session_s, session.end, "timeout")
    try:
        if socket.query_params.get("session") == session.id:
            await conversation.resume()
        while (packet := await inbox.next(session.over)) is not None:
            data = packet.get("text")
            try:
                if data is None:
                    conversation.hear(packet.get("bytes") or b"")
                else:
                    await conversation.obey(parse(data))
            except ValueError as error:
                send(rejection(data or "", str(error)))
    except ServiceError:
        session.ending = "error"
        raise
    finally:
        if timer is not None:
            timer.cancel()
        lost = session.ending == "error" or (inbox.gone.is_set() and not inbox.clean)
        conversation.close(lost)
        if inbox.clean:
            await node.journal.forget(session.id)
        await session.close(session.ending)
        await publisher.close()
    return session.ending


def _hint(socket: WebSocket) -> Hint:
    caller, query = caller_of(socket), socket.query_params
    address = socket.client.host if socket.client else ""
    return Hint(caller.tenant.name, caller.credential, address, query.get("user_agent", ""), query.get("model", ""))


def _address(socket: WebSocket) -> tuple[str, int]:
    host, port = socket.scope.get("server") or ("", 0)
    return str(host), int(port or 0)
