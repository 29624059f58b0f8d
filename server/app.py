"""Routes and life span; no logic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import as_file, files
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from reverie.client import rtc_tuning
from reverie.server import lan, livekit, livekit_sdp, remote, whep, whip
from reverie.server.access import Access
from reverie.server.body_limit import BodyLimit
from reverie.server.gate import Gate
from reverie.server.guard import Guard
from reverie.server.later_api import LaterApi
from reverie.server.loading import Warm
from reverie.server.metrics import CONTENT_TYPE
from reverie.server.node import Node
from reverie.server.preflight import Preflight
from reverie.server.settings import Settings
from reverie.server.signaling import stream
from reverie.server.subscribe import subscribe

ENCODERS = 2  # threads that encode video
ANY = [
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
]  # the handler answers 405 itself: what is mounted last would say 404
CORS: dict[str, Any] = {  # for pages of listed origins; the guard has refused all others
    "allow_methods": ("GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"),
    "allow_headers": ("authorization", "content-type", "if-match", "user-agent", "x-api-key"),
    "expose_headers": ("content-disposition", "etag", "link", "location", "retry-after", "reverie-session"),
    "max_age": 600,
}


def make(settings: Settings, loading: Future[Warm] | None = None) -> Starlette:
    """The ASGI application of one node; `app.state.node` is its Node.  Raises ValueError on a setting it cannot use.

    Args: loading: of the model, where it has begun.
    """
    rtc_tuning.apply()
    livekit_sdp.accept_rids()
    access = Access(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(ENCODERS, "encode"))
        node = app.state.node = Node(settings, loading)
        tasks = asyncio.create_task(node.fleet.run()), asyncio.create_task(_begin(app))
        yield
        await _cancelled(tasks)
        await node.close()

    with as_file(files("reverie.client") / "web") as web:
        routes = [
            Route("/", lambda request: FileResponse(web / "index.html")),
            Route("/overlay", lambda request: FileResponse(web / "overlay.html")),
            Route("/library", lambda request: FileResponse(web / "library.html")),
            Mount("/web", StaticFiles(directory=web)),
            Route("/join/{token}", lan.join, methods=["GET", "POST"]),
            Route("/healthz", _healthz),
            Route("/readyz", _readyz),
            Route("/metrics", _metrics),
            Route("/v1/sessions/{id}/prompt", remote.prompt, methods=["POST"]),
            WebSocketRoute("/v1/stream", stream),
            WebSocketRoute("/subscribe/{session}", subscribe),
            Route("/whip", whip.endpoint, methods=ANY),
            Route("/whip/r/{id}", whip.resource, methods=ANY),
            Route("/whep/r/{id}", whip.resource, methods=ANY),
            Route("/whep/{session}", whep.endpoint, methods=ANY),
            WebSocketRoute("/rtc/v1", livekit.rtc_v1),
            WebSocketRoute("/rtc", livekit.rtc_v0),
            Route("/rtc/v1/validate", livekit.validate),
            Route("/rtc/validate", livekit.validate),
        ]
    app: Starlette = Starlette(
        routes=routes,
        middleware=[
            Middleware(Guard, hosts=settings.hosts, origins=settings.origins, nodes=lambda: app.state.node.fleet.urls),
            Middleware(Preflight),
            Middleware(CORSMiddleware, allow_origins=settings.origins, **CORS),
            Middleware(Gate, access=access),
            Middleware(BodyLimit, max_upload_mb=settings.max_upload_mb),
        ],
        lifespan=lifespan,
    )
    app.state.access = access
    app.state.api = LaterApi(app.state)
    app.mount("", app.state.api)
    return app


async def _begin(app: Starlette) -> None:
    """The model, then what a first visitor need not wait for."""
    await app.state.node.warm()
    await asyncio.to_thread(app.state.api.made)


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait until they have ended.  Asked more than once: redis-py can take a cancellation for a timeout, and go on."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)


def _healthz(request: Request) -> Response:
    """200 while the process runs."""
    return PlainTextResponse("ok\n")


def _readyz(request: Request) -> Response:
    """200 once the model is warm, else 503 and why."""
    node: Node = request.app.state.node
    if node.model is not None:
        return PlainTextResponse("ready\n")
    return PlainTextResponse((node.fault or "the model is loading") + "\n", 503)


def _metrics(request: Request) -> Response:
    """What the service counts, for Prometheus."""
    node: Node = request.app.state.node
    return Response(node.metrics.text(), media_type=CONTENT_TYPE)
