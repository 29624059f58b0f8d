"""By what a client of LiveKit's kind comes in: a room of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection

from reverie.client.protocol import FromServer, RoomInfo
from reverie.server.access import caller_of
from reverie.server.rooms import Room, Rooms
from reverie.server.session import Session


@contextmanager
def opened(session: Session, send: Callable[[FromServer], None], connection: HTTPConnection) -> Iterator[Room]:
    """A room for a session, until it is over."""
    codec = "VP8" if connection.query_params.get("livekit_server_codec", "").lower() == "vp8" else "H264"
    room = Room(session, send, caller_of(connection).tenant.name, codec)
    rooms: Rooms = connection.app.state.node.rooms
    rooms.open(room)
    try:
        yield room
    finally:
        rooms.close(room)


def room_info(room: Room, connection: HTTPConnection) -> RoomInfo:
    return RoomInfo(signalling_address(connection), room.publisher, room.name, room.session.id)


def signalling_address(connection: HTTPConnection) -> str:
    """This server as the client calls it; a proxy that ends TLS says so."""
    secure = connection.headers.get("x-forwarded-proto", connection.url.scheme) in ("https", "wss")
    return f"{'wss' if secure else 'ws'}://{connection.headers['host']}"
