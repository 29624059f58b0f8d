"""LiveKit's signalling, as far as clients of a session need it: `/rtc/v1` and `/rtc`, protobuf over WebSocket.

No LiveKit server is involved: the room has one publisher, viewers, and us as the participant whose tracks they see.
Source: messages of livekit-protocol (`livekit_rtc.proto`); order and traps as the clients' own code has them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import logging
import time
import zlib

from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from reverie.server.errors import BadOffer
from reverie.server.node import Node
from reverie.server.participant import Participant

log = logging.getLogger(__name__)
MAX_JOIN = 500_000  # bytes of an unpacked join request
LINGER_S = 15.0  # media goes on for so long after its signalling broke: the client comes back to it
ROOM_OVER = "this room is over; connect again"


async def rtc_v1(socket: WebSocket) -> None:
    """One peer connection; the first offer comes inside the address."""
    try:
        wanted = read_join(socket.query_params.get("join_request", ""))
    except ValueError as error:
        return await socket.send_denial_response(PlainTextResponse(f"{error}\n", 400))
    before = wanted.participant_sid if wanted.reconnect else None
    await _serve(socket, before, wanted.publisher_offer if wanted.publisher_offer.sdp else None, single=True)


async def rtc_v0(socket: WebSocket) -> None:
    """Two peer connections: we offer what we show, the client offers what it sends."""
    query = socket.query_params
    await _serve(socket, query.get("sid", "") if query.get("reconnect") in ("1", "true") else None, None, single=False)


def validate(request: Request) -> Response:
    """Why a WebSocket was refused: clients ask here, because a browser does not say."""
    node: Node = request.app.state.node
    known = node.rooms.seat(request.state.room_token) is not None
    return PlainTextResponse("success" if known else ROOM_OVER, 200 if known else 410)


def read_join(text: str) -> rtc.JoinRequest:
    """The join request of an address.  Raises ValueError."""
    try:
        plain = text.replace("-", "+").replace("_", "/")
        wrapped, join = rtc.WrappedJoinRequest(), rtc.JoinRequest()
        wrapped.ParseFromString(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
        join.ParseFromString(_unpacked(wrapped.join_request) if wrapped.compression else wrapped.join_request)
    except (binascii.Error, DecodeError, gzip.BadGzipFile, zlib.error, EOFError):
        raise ValueError("join_request cannot be read") from None
    return join


def _unpacked(packed: bytes) -> bytes:
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    plain = reader.decompress(packed, MAX_JOIN)
    if reader.unconsumed_tail:
        raise ValueError(f"join_request has more than {MAX_JOIN} bytes")
    return plain


async def _serve(socket: WebSocket, before: str | None, offer: rtc.SessionDescription | None, *, single: bool) -> None:
    """Args: before: which participant goes on with this socket; None for a new one."""
    node: Node = socket.app.state.node
    seat = node.rooms.seat(socket.state.room_token)
    if seat is None:
        return await socket.send_denial_response(PlainTextResponse(ROOM_OVER + "\n", 410))
    await socket.accept()
    (room, publishes), outbox = seat, asyncio.Queue[rtc.SignalResponse | None]()
    known = room.participants.get(before) if before is not None else None
    if before is not None and (known is None or known.publishes != publishes):
        return await _begin_anew(socket)
    send = outbox.put_nowait
    participant = known or Participant(room, publishes, node.settings, send, single=single)
    writer = asyncio.create_task(_write(socket, outbox))
    left = False
    try:
        await (participant.resume(send) if known else participant.join(offer))
        left = await _converse(socket, participant)
    except WebSocketDisconnect:
        pass
    except BadOffer as error:
        participant.refuse(str(error))
    finally:
        outbox.put_nowait(None)
        await asyncio.wait([writer], timeout=2)
        if left:
            await participant.close()
        elif participant.send == send:  # else it goes on with another socket
            participant.close_later(LINGER_S)


async def _converse(socket: WebSocket, participant: Participant) -> bool:
    """Whether the client said goodbye."""
    while (packet := await socket.receive())["type"] != "websocket.disconnect":
        request = rtc.SignalRequest()
        try:
            request.ParseFromString(packet.get("bytes") or b"")
        except DecodeError:
            continue
        match request.WhichOneof("message"):
            case "ping_req":
                pong = rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=_now_ms())
                participant.send(rtc.SignalResponse(pong_resp=pong))
            case "ping":
                participant.send(rtc.SignalResponse(pong=_now_ms()))
            case "leave":
                return True
            case kind:
                await participant.handle(kind, request)
    return False


async def _write(socket: WebSocket, outbox: asyncio.Queue[rtc.SignalResponse | None]) -> None:
    """Until None, or a `leave`, which is the last thing a client is told."""
    try:
        while (message := await outbox.get()) is not None:
            await socket.send_bytes(message.SerializeToString())
            if message.WhichOneof("message") == "leave":
                break
        await socket.close()
    except (WebSocketDisconnect, RuntimeError):
        return  # the reader notices as well


async def _begin_anew(socket: WebSocket) -> None:
    """It has been away for too long.  A mere RECONNECT would leave Decart's JS SDK with an ended track, unnoticed."""
    action, reason = rtc.LeaveRequest.Action.DISCONNECT, models.DisconnectReason.STATE_MISMATCH
    await socket.send_bytes(
        rtc.SignalResponse(leave=rtc.LeaveRequest(action=action, reason=reason)).SerializeToString()
    )
    await socket.close()


def _now_ms() -> int:
    return int(time.time() * 1000)
