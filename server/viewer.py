"""Somebody who watches a session without having made it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiortc.mediastreams import MediaStreamTrack

from reverie.client.protocol import Candidate
from reverie.server.errors import BadOffer
from reverie.server.peer import Peer
from reverie.server.session import Session
from reverie.server.settings import Settings


class Viewer:
    """Owner of a peer connection that only shows.  It ends with the session."""

    def __init__(self, session: Session, settings: Settings, ended: Callable[[], None]) -> None:
        """Args: ended: called when the session is over or the media cannot flow; whoever made the viewer closes it."""
        self._session = session
        self._peer = Peer(settings, lambda track: track.stop(), ended, ended)
        self._tracks: list[MediaStreamTrack] = [session.output.reader(), session.sound.listen()]
        self._forget = session.output.when_closed(ended)

    async def answer(self, sdp: str) -> str:
        """The answer's SDP, all candidates inside.  Raises BadOffer; the viewer is closed then."""
        shows = self._tracks if "\nm=audio" in sdp else self._tracks[:1]
        try:
            return await self._peer.answer(sdp, shows)
        except BadOffer:
            await self.close()
            raise

    @property
    def connected(self) -> asyncio.Event:
        return self._peer.connected

    async def add_candidate(self, message: Candidate) -> None:
        """Raises ValueError if the candidate cannot be read."""
        await self._peer.add_candidate(message)

    def restart(self, ufrag: str, password: str) -> str:
        """As a Peer's; the offer has been answered."""
        return self._peer.restart(ufrag, password)

    async def close(self) -> None:
        self._forget()
        await self._peer.close()
        for track in self._tracks:
            track.stop()
