"""The client that a session was made for: it sends its camera and is shown the session's output."""

from __future__ import annotations

from aiortc.mediastreams import MediaStreamTrack

from reverie.client.protocol import Candidate
from reverie.server.errors import BadOffer
from reverie.server.peer import Peer
from reverie.server.session import Session
from reverie.server.settings import Settings


class Caller:
    """Owner of the one peer connection between them."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session, self._settings = session, settings
        self._peer: Peer | None = None
        self._kinds: set[str] = set()

    async def answer(self, sdp: str) -> str:
        """Connect and return the answer's SDP, all candidates inside.  Raises BadOffer."""
        if self._peer is not None:
            raise BadOffer("a session takes one offer; open another WebSocket for another")
        self._peer = Peer(self._settings, self._on_track, self._session.media_failed)
        return await self._peer.answer(sdp)

    async def add_candidate(self, message: Candidate) -> None:
        """Raises ValueError if the candidate cannot be read."""
        if self._peer is not None:
            await self._peer.add_candidate(message)

    async def close(self) -> None:
        if self._peer is not None:
            await self._peer.close()

    def _on_track(self, track: MediaStreamTrack) -> None:
        """The first track of a kind is the camera or the sound, and is answered with the session's."""
        assert self._peer is not None
        if track.kind in self._kinds:
            return
        self._kinds.add(track.kind)
        self._session.take(track)
        self._peer.send(self._session.output.reader() if track.kind == "video" else self._session.sound.listen())
