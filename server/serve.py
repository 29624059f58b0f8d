"""`reverie serve`: one node on one port, until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from dataclasses import replace

import uvicorn
from starlette.applications import Starlette

from reverie.server.app import make
from reverie.server.settings import Settings


class CannotListen(Exception):
    """The address cannot be listened on; the text says which and why."""


class Server(uvicorn.Server):
    """uvicorn closes WebSockets before the application hears of it; clients are told why first."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if hasattr(self._app.state, "node"):
            await self._app.state.node.hang_up()
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.  Raises CannotListen."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aioice").setLevel(logging.WARNING)
    listening = listen(settings.host, settings.port)
    host, port = listening.getsockname()[:2]
    app = make(replace(settings, host=host, port=port))
    config = uvicorn.Config(
        app, ws="websockets-sansio", log_level="warning", access_log=False, lifespan="on",
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    print(f"Reverie is at http://{f'[{host}]' if ':' in host else host}:{port} (loading {settings.model})", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends cleanly, then raises them once more
        signal.signal(number, lambda *_: None)
    with listening:
        asyncio.run(Server(config, app).serve(sockets=[listening]))


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket.  Raises CannotListen."""
    listening: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        if listening is not None:
            listening.close()
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
        raise CannotListen(f"cannot listen on {host}:{port}: {reason}") from None
    return listening
