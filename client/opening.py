"""`connect`: where a session begins.

Light to import: what pictures need (aiortc, FFmpeg: most of a second) is loaded by the first call, beside the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from reverie.client.protocol import ChangeSettings

if TYPE_CHECKING:
    from aiortc.mediastreams import MediaStreamTrack

    from reverie.client.link import IceServers
    from reverie.client.session import Session
    from reverie.client.sources import Source


@asynccontextmanager
async def connect(
    url: str, source: Source | Any, prompt: str = "", *, blend: Mapping[str, float] | None = None,
    strength: float = 1.0, seed: int = 0, mask: str = "none", index: bool | None = None, enhance: bool = False,
    model: str = "", api_key: str = "",
    ca: str = "", ice_servers: IceServers = (), microphone: MediaStreamTrack | None = None, reconnect: bool = True,
    timeout_s: float = 15.0, media: str = "auto",
) -> AsyncIterator[Session]:  # fmt: skip
    """A session with a Reverie server; leaving the block hangs up.

    Args:
        url: of the server, as http://127.0.0.1:8080.
        source: Camera, File, Frames, arrays (H, W, 3) uint8 RGB, or an aiortc video track.
        prompt, blend, strength, seed, mask, index, enhance: as `Session.set_prompt` and `.set`; "" is the camera.
        ice_servers: for a client behind a firewall: "stun:HOST:PORT", ("turn:HOST:PORT?transport=tcp", user, password);
            of each kind the first is used.
        ca: a file (PEM) of certificates to trust, as what `reverie serve --lan` made: DATA/tls/cert.pem.
        microphone: a track of sound to send along; it comes back, in time with the picture, in `Session.sound`.
        media: the way of pictures: "webrtc"; "websocket", without sound; "auto" is the second once the first failed.
        reconnect: connect again by itself, with the same look, when the connection is lost.
    Raises: BadSource; ConnectionLost, AtCapacity, NotReady, UnknownModel, BadRequest: no session came to be.
    """
    await asyncio.to_thread(import_module, "reverie.client.session")
    from reverie.client.session import Session
    from reverie.client.tracks import Counted, track_of

    settings = ChangeSettings(strength, seed, True, None if mask == "none" else mask, index)
    where = (url, model, api_key, ice_servers, ca, media)
    session = Session(Counted(track_of(source)), microphone, where, settings, reconnect)
    if prompt.strip() or blend:
        await session.set_prompt(prompt, blend=blend, enhance=enhance)
    async with session.live(timeout_s):
        yield session
