"""Rooms: how a session's publisher and its viewers are known to each other in LiveKit's terms.

A client knows a room by its name and a token, both unguessable: SDKs make a viewer's invitation from the name alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reverie.client.protocol import FromServer
from reverie.server.session import Session
from reverie.server.trailers import Trailers

if TYPE_CHECKING:
    from reverie.server.participant import Participant

HOST = "inference-server-"  # SDKs show the tracks of participants whose identity begins so


@dataclass(slots=True, eq=False)
class Room:
    """One session's.  Identifiers begin with LiveKit's letters for their kind."""

    session: Session
    tell: Callable[[FromServer], None]  # the publisher, on the control WebSocket
    tenant: str
    codec: str  # that the session's picture is sent in, if the client knows it
    sound: bool = False  # whether the publisher sends any
    trailers: Trailers | None = None  # of its pictures, where it wants them back
    at_place: Participant | None = None  # the publisher, once it has joined
    participants: dict[str, Participant] = field(default_factory=dict)  # by identifier
    name: str = field(default_factory=lambda: f"room-{secrets.token_urlsafe(18)}")
    sid: str = field(default_factory=lambda: f"RM_{secrets.token_hex(6)}")
    host: str = field(default_factory=lambda: f"{HOST}{secrets.token_hex(4)}")
    host_sid: str = field(default_factory=lambda: f"PA_{secrets.token_hex(6)}")
    video_sid: str = field(default_factory=lambda: f"TR_VC{secrets.token_hex(6)}")
    audio_sid: str = field(default_factory=lambda: f"TR_AM{secrets.token_hex(6)}")
    publisher: str = field(default_factory=lambda: secrets.token_urlsafe(24))  # token
    viewer: str = field(default_factory=lambda: secrets.token_urlsafe(24))  # token


class Rooms:
    """The rooms that are open."""

    def __init__(self) -> None:
        self._by_name: dict[str, Room] = {}
        self._by_token: dict[str, tuple[Room, bool]] = {}

    def open(self, room: Room) -> None:
        self._by_name[room.name] = room
        self._by_token[room.publisher] = room, True
        self._by_token[room.viewer] = room, False

    def close(self, room: Room) -> None:
        self._by_name.pop(room.name, None)
        for token in (room.publisher, room.viewer):
            self._by_token.pop(token, None)

    def find(self, name: str, tenant: str) -> Room | None:
        """A tenant's own room; another's is as good as none."""
        room = self._by_name.get(name)
        return room if room is not None and room.tenant == tenant else None

    def seat(self, token: str) -> tuple[Room, bool] | None:
        """The room of a token, and whether it is the publisher's."""
        return self._by_token.get(token)
