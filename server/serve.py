"""`reverie serve`: one node on one port, until it is told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import ipaddress
import logging
import signal
import socket
import sys
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace

import uvicorn
from starlette.applications import Starlette

from reverie.server import effects, lan, nsfw, tls, webhooks
from reverie.server.app import make
from reverie.server.loading import Warm
from reverie.server.metrics import Metrics
from reverie.server.settings import Settings

DENIED = "returned without completing handshake"  # what uvicorn says of every WebSocket that was answered with HTTP
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
MOST_IN_HEAP, MOST_FREE = 32 << 20, 256 << 20  # bytes: of one array, and of what is kept although nothing is in it


class Server(uvicorn.Server):
    """uvicorn closes WebSockets before the application hears of it; clients are told why first."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if hasattr(self._app.state, "node"):
            await self._app.state.node.hang_up()
        await super().shutdown(sockets)


def serve(settings: Settings, listening: socket.socket, loading: Future[Warm] | None = None) -> None:
    """Serve until SIGINT or SIGTERM.  Raises ValueError on a setting that cannot be used.

    Args: listening: a socket of `listening.listen`; loading: of the model, where it has begun.
    """
    check(settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aioice").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(lambda record: DENIED not in record.getMessage())
    _serve(listening, settings, loading)


@dataclass(frozen=True, slots=True)
class Made:
    """A server that may begin."""

    server: Server
    app: Starlette
    url: str
    certificate: tls.Certificate | None


def made(listening: socket.socket, settings: Settings, loading: Future[Warm] | None = None) -> Made:
    """A server for a socket that listens.  Raises ValueError on a setting that cannot be used."""
    host, port = listening.getsockname()[:2]
    certificate = _certificate(settings)
    there = _reached(settings, host, certificate)
    url = f"http{'s' if certificate else ''}://{f'[{there[0]}]' if ':' in there[0] else there[0]}:{port}"
    known = (*settings.hosts, *there) if settings.lan else settings.hosts
    app = make(replace(settings, host=host, port=port, hosts=known, node_url=settings.node_url or url), loading)
    config = uvicorn.Config(
        app, ws="websockets-sansio", log_level="warning", access_log=False, lifespan="on",
        timeout_graceful_shutdown=3,
        ssl_certfile=certificate.cert if certificate else None, ssl_keyfile=certificate.key if certificate else None,
    )  # fmt: skip
    return Made(Server(config, app), app, url, certificate)


def _serve(listening: socket.socket, settings: Settings, loading: Future[Warm] | None) -> None:
    ours = made(listening, settings, loading)
    if warning := exposed(settings, listening.getsockname()[0]):
        print(warning, file=sys.stderr, flush=True)
    print(f"Reverie is at {ours.url} (loading {settings.model})", flush=True)
    if ours.certificate is not None and ours.certificate.made_here:
        print(f"Browsers warn of its certificate, which was made here; its SHA-256 is\n{ours.certificate.fingerprint}")
    if settings.lan:
        ours.app.state.access.door = lan.Door(lambda token: print(lan.invitation(ours.url, token), flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends cleanly, then raises them once more
        signal.signal(number, lambda *_: None)
    _collect_seldom()
    _keep_memory()
    try:
        asyncio.run(ours.server.serve(sockets=[listening]))
    finally:
        gc.unfreeze()  # or the interpreter ends without what C++ holds: nanobind calls that leaked


def _collect_seldom() -> None:
    """Python looks for cycles after 700 new objects: a seventh of the event loop's time with ten viewers."""
    gc.collect()
    gc.freeze()  # what stands now stays
    gc.set_threshold(20_000, 10, 10)


def _keep_memory() -> None:
    """glibc gives pictures back to the system and asks for them anew: 3000 page faults a picture at 720p, 13 ms."""
    with suppress(OSError, AttributeError):  # another C library
        change = ctypes.CDLL(None).mallopt
        change(M_MMAP_THRESHOLD, MOST_IN_HEAP)
        change(M_TRIM_THRESHOLD, MOST_FREE)


def exposed(settings: Settings, host: str) -> str:
    """A warning if everybody who reaches this address may use the server, else ""."""
    if settings.lan or settings.api_keys_file or ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        return ""
    return (
        f"Warning: {host} can be reached from other machines, and no key is needed: everybody there may use this "
        "server. Make a key with `reverie key NAME` and set REVERIE_API_KEYS_FILE, or use --lan."
    )


def _certificate(settings: Settings) -> tls.Certificate | None:
    """Raises ValueError if the operator's own cannot be used."""
    if settings.tls_cert or settings.tls_key:
        return tls.own(settings.tls_cert, settings.tls_key)
    if not settings.lan:
        return None
    hosts = [*lan.addresses(settings.host), *settings.hosts, *lan.names(), "localhost", "127.0.0.1"]
    return tls.kept(settings.data_folder / "tls", hosts)


def _reached(settings: Settings, host: str, certificate: tls.Certificate | None) -> list[str]:
    """Names and addresses of this server, the one to print first: what an own certificate is for, then addresses."""
    if not settings.lan:
        return [host]
    own = certificate.names() if certificate is not None and not certificate.made_here else []
    return [*own, *lan.addresses(host), *settings.hosts, *lan.names()]


def check(settings: Settings) -> None:
    """Raises ValueError if an effect, a webhook or the filter is not there, before anything is started."""
    for effect in settings.effects:
        effects.parse(effect)
    if settings.webhook_urls:
        key = webhooks.key_of(settings.webhook_secret, settings.data_folder / "webhook-secret")
        webhooks.Webhooks(settings.webhook_urls, key, Metrics())
    if settings.nsfw:
        nsfw.network()
