"""The client that a session was made for: it sends its camera and may be shown the session's output."""

from __future__ import annotations

import asyncio

from aiortc.mediastreams import MediaStreamTrack

from reverie.client.protocol import Candidate
from reverie.server.errors import BadOffer
from reverie.server.peer import Peer
from reverie.server.session import Session
from reverie.server.settings import Settings

SWITCH_S = 10.0


class Publisher:
    """Owner of the one peer connection between them."""

    def __init__(self, session: Session, settings: Settings, shown: bool = True) -> None:
        """Args: shown: whether it is sent the session's output; else its leaving ends the session."""
        self._session, self._settings, self._shown = session, settings, shown
        self.connected = asyncio.Event()
        self._closed = False
        self._peer: Peer | None = None
        self._kinds: set[str] = set()

    async def answer(self, sdp: str) -> str:
        """Connect and return the answer's SDP, all candidates inside.  Raises BadOffer."""
        if self._peer is not None:
            raise BadOffer("a session takes one offer; open another WebSocket for another")
        closed = self._on_gone if self._shown else self._session.over.set
        self._peer = Peer(self._settings, self._on_track, self._on_failed, closed, self.connected)
        return await self._peer.answer(sdp)

    async def add_candidate(self, message: Candidate) -> None:
        """Raises ValueError if the candidate cannot be read."""
        if self._peer is not None:
            await self._peer.add_candidate(message)

    def restart(self, ufrag: str, password: str) -> str:
        """As a Peer's; the offer has been answered."""
        assert self._peer is not None
        return self._peer.restart(ufrag, password)

    async def close(self) -> None:
        self._closed = True
        peer, self._peer = self._peer, None
        if peer is not None:
            await peer.close()

    def _on_failed(self) -> None:
        if self.connected.is_set() or not self._shown:
            self._give_up()
        else:
            self._on_gone()

    def _on_gone(self) -> None:
        """Its client has some time to send the pictures another way, or to hang up."""
        asyncio.get_running_loop().call_later(SWITCH_S, self._give_up)

    def _give_up(self) -> None:
        if not self._closed:
            self._session.media_failed()

    def _on_track(self, track: MediaStreamTrack) -> None:
        """The first track of a kind is the camera or the sound, and is answered with the session's."""
        assert self._peer is not None
        if track.kind in self._kinds:
            return
        self._kinds.add(track.kind)
        self._session.take(track)
        if not self._shown:
            return
        self._peer.send(self._session.output.reader() if track.kind == "video" else self._session.sound.listen())
