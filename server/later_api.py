"""The HTTP API of api.py, imported once the model is ready or when it is first asked: that takes half a second."""

from __future__ import annotations

import asyncio
import importlib
import threading

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send


class LaterApi:
    """An ASGI application that stands for it."""

    def __init__(self, state: State) -> None:
        """Args: state: of the application that it is mounted in."""
        self._state = state
        self._made: ASGIApp | None = None
        self._making = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        api = self._made
        if api is None:
            api = await asyncio.to_thread(self.made)
        await api(scope, receive, send)

    def made(self) -> ASGIApp:
        """From any thread; a second caller waits for the first."""
        with self._making:
            made: ASGIApp = self._made or importlib.import_module("reverie.server.api").make(self._state)
            self._made = made
            return made
