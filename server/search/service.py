"""Search in a node: sessions that asked for it are watched, and questions are answered.

Three threads: one sees (at a lower priority than the model's workers, so a frame goes first), one searches, and one
moves what is old out of memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import av
import numpy as np
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from reverie.models import registry
from reverie.models.search import space
from reverie.server import embedded, segment
from reverie.server.errors import Refused
from reverie.server.keys import Keys
from reverie.server.pictures import reformat
from reverie.server.redis_url import sentinels
from reverie.server.search.allowance import Allowance
from reverie.server.search.archive import Archive, Hit, Query
from reverie.server.search.eye import Eye, Picture, Sight
from reverie.server.search.moments import Entry, Merger, Window
from reverie.server.search.telling import phrased
from reverie.server.search.thumbnails import STRIP, webp
from reverie.server.session import Session
from reverie.server.settings import Settings

log = logging.getLogger(__name__)
SAMPLE_S = 0.25  # between instants that are looked at
WIDTH = 320  # pixels of a picture that is looked at
SWEEP_S = 3600.0
NICE, SHARE = 5, 0.02  # of the thread that sees: its priority, and its part of the processors where everything moves
Media = Callable[[Session], tuple[str, float] | None]
T = TypeVar("T")


class Service:
    """Lives on the event loop; everything is opened when it is first used."""

    def __init__(self, settings: Settings, keys: Keys, recording: Media) -> None:
        """Args: recording: the id of the recording that is being made of a session, and how long it is."""
        self._settings, self._keys, self._recording = settings, keys, recording
        self._seeing = ThreadPoolExecutor(1, "see", _yield_to_others)
        self._asking = ThreadPoolExecutor(1, "search")
        self._tidying = ThreadPoolExecutor(1, "tidy", _yield_to_others)
        self._embedded: embedded.EmbeddedRedis | None = None
        self._archive: Archive | None = None
        self._opening = threading.Lock()
        self._watching: dict[Session, Watch] = {}
        self.allowance = Allowance(SHARE)  # of the thread that sees
        self._sweeping: asyncio.Task[None] | None = None

    def is_watched(self, session: Session) -> bool:
        return session in self._watching

    def watch(self, session: Session, on: bool) -> None:
        """Begin or end to index a session; it ends with the session."""
        if not on and (watch := self._watching.pop(session, None)) is not None:
            watch.stop()
        if on and session not in self._watching:
            self._start()
            watch = self._watching[session] = Watch(session, self)
            session.output.when_closed(lambda: self.watch(session, False))

    async def find(self, tenant: str, make: Callable[[Archive], Query]) -> list[Hit]:
        """Args: make: the query; called on the thread that searches.  Raises: Refused 400, 503."""
        return await self.ask(lambda archive: archive.find(tenant, make(archive)))

    async def ask(self, question: Callable[[Archive], T], thread: ThreadPoolExecutor | None = None) -> T:
        """Anything of the archive, on the thread that searches or another.  Raises: Refused 400, 503."""
        self._start()
        try:
            return await self._run(thread or self._asking, lambda: question(self.archive()))
        except ValueError as error:
            raise Refused(400, "bad_request", str(error)) from None
        except FileNotFoundError as error:
            raise Refused(503, "no_search", str(error)) from None

    async def delete(self, tenant: str, session: str | None = None, ids: tuple[str, ...] = ()) -> int:
        """Forget moments of a tenant: of one session, these, or all.  How many.  Raises: as `ask`.

        On the thread that sees, so that nothing which was seen before is written after.
        """
        watching = [watch for each, watch in self._watching.items() if each.tenant == tenant]

        def work(archive: Archive) -> int:
            for watch in watching:
                watch.forget(session, ids)
            return archive.delete(tenant, session, ids)

        return await self.ask(work, self._seeing)

    async def close(self) -> None:
        for session in tuple(self._watching):
            self.watch(session, False)
        if self._sweeping is not None:
            self._sweeping.cancel()
        for executor in (self._seeing, self._asking, self._tidying):
            executor.shutdown(wait=False)
        if self._archive is not None:
            await asyncio.to_thread(self._seeing.shutdown)
            self._archive.close()
        if self._embedded is not None:
            self._embedded.stop()

    def segmenter(self) -> segment.Segmenter | None:
        """One for the thread that sees; the engine's is the engine's."""
        place = segment.folder(self._settings.segmenter)
        return segment.Segmenter(place) if segment.is_here(place) else None

    def say(self, session: Session, text: str) -> None:
        """Words that were typed, chatted or spoken in a session, for keyword search; nothing if it is not indexed."""
        if (watch := self._watching.get(session)) is not None:
            watch.say(text)

    async def see(self, work: Callable[[], T]) -> T:
        return await self._run(self._seeing, work)

    def archive(self) -> Archive:
        """Opened once; for threads.  Raises: FileNotFoundError if a package of the space is missing."""
        with self._opening:
            if self._archive is None:
                url = self._settings.redis_url or (self._embedded.url if self._embedded is not None else "")
                redis = _reached(url) if url else None
                folder = self._settings.data_folder / "moments"
                joint, cells = space.load(self._settings.search_model), self._settings.moment_cells
                self._archive = Archive(folder, joint, redis, self._keys, cells)
                import torch

                if self._settings.device == "cpu" and self._settings.model in registry.NAMES:
                    torch.set_num_threads(1)  # nobody else's; two would wait for each other beside the kernels
                log.info("moments are indexed in %s", self._archive.kind)
            return self._archive

    def recording(self, session: Session) -> tuple[str, float]:
        place = self._recording(session)
        return ("", 0.0) if place is None else (f"recording:{place[0]}", place[1])

    def _start(self) -> None:
        """A Redis of the node's own for vectors, where it has no other; started by a thread that does not end."""
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())
        if not self._settings.redis_url and self._embedded is None:
            own = embedded.EmbeddedRedis(self._settings.data_folder / "moments" / "redis", embedded.VECTORS)
            try:
                self._embedded = own if own.start() else None
            except OSError as error:
                log.warning("no Redis for vectors, memory serves: %s", error)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._run(self._tidying, self._forget_old)
            except (OSError, RedisError) as error:
                log.warning("old moments could not be swept: %s", error)
            await asyncio.sleep(SWEEP_S)

    def _forget_old(self) -> None:
        archive = self.archive()
        archive.sweep(self._settings.moment_days, self._settings.moment_mb * 1_000_000)
        for tenant in archive.tenants():
            archive.cool(tenant, self._settings.moment_hot)

    async def _run(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, work)


class Watch:
    """One session that is being indexed: the loop's half."""

    def __init__(self, session: Session, service: Service) -> None:
        self._session, self._service = session, service
        self._tenant = session.tenant
        self._eye: Eye | None = None
        self._merger = Merger(session.id)
        self._strips: dict[str, int] = {}
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        self._task.cancel()
        asyncio.get_running_loop().create_task(self._end())

    def say(self, text: str) -> None:
        asyncio.get_running_loop().create_task(self._service.see(lambda: self._say(text)))

    def _say(self, text: str) -> None:
        if (entry := self._merger.say(text)) is not None:
            self._service.archive().put(self._tenant, entry)

    def forget(self, session: str | None, ids: tuple[str, ...]) -> None:
        """What is going on, if it is of this session (None: of any) and, where some are named, one of these moments."""
        entry = self._merger.entry
        if session not in (None, self._session.id) or (ids and (entry is None or entry.moment.id not in ids)):
            return
        if self._eye is not None:
            self._eye.finish()
        self._merger.entry = None

    async def _end(self) -> None:
        with contextlib.suppress(RuntimeError):  # the node is closing
            await self._service.see(self._finish)

    async def _run(self) -> None:
        try:
            with self._session.output.frames() as newest:
                while True:
                    began = time.monotonic()
                    shown = await newest.get()
                    style = self._session.look.name if self._session.state == "styled" else ""
                    media, media_s = self._service.recording(self._session)
                    sight = partial(self._look, time.time(), shown, self._session.camera_frame, style, media, media_s)
                    await self._service.see(sight)
                    await asyncio.sleep(max(0.0, SAMPLE_S - (time.monotonic() - began)))
        except FileNotFoundError as error:
            log.warning("a session cannot be indexed: %s", error)
        except Exception:  # of one session's index; the session itself goes on
            log.exception("a session's index failed")

    def _look(
        self, at: float, shown: av.VideoFrame, camera: av.VideoFrame | None, style: str, media: str, media_s: float
    ) -> None:
        """On the thread that sees."""
        archive = self._service.archive()
        if self._eye is None:
            self._eye = Eye(archive.space, self._service.segmenter(), self._service.allowance.is_left)
        output = _small(shown)
        source = _small(camera) if style and camera is not None else output
        for window, sight in self._eye.put(Sight(at, source, output if style else None, style, media, media_s)):
            self._keep(archive, window, sight)

    def _finish(self) -> None:
        if self._eye is not None and (last := self._eye.finish()) is not None:
            self._keep(self._service.archive(), *last)

    def _keep(self, archive: Archive, window: Window, sight: Sight) -> None:
        entry, fresh = self._merger.add(window)
        known = entry.moment
        told = phrased(known.facts, self._session.scene.sentence, known.style)
        entry = self._merger.entry = replace(entry, moment=replace(known, caption=told))
        if fresh:
            self._strips = {entry.moment.id: 0}
        archive.put(self._tenant, entry, self._thumbnails(entry, sight))

    def _thumbnails(self, entry: Entry, sight: Sight) -> dict[tuple[str, int], bytes]:
        """The next of the moment's strip."""
        n = self._strips.setdefault(entry.moment.id, 0)
        if n >= STRIP:
            return {}
        self._strips[entry.moment.id] = n + 1
        pictures = {"source": sight.source, **({"output": sight.output} if sight.output is not None else {})}
        return {(side, n): webp(picture) for side, picture in pictures.items()}


def _small(frame: av.VideoFrame) -> Picture:
    width = min(WIDTH, frame.width)
    height = max(2, round(frame.height * width / frame.width))
    return np.ascontiguousarray(reformat(frame, width, height, "rgb24", interpolation="AREA").to_ndarray())


def connected(url: str) -> Redis:
    """A client, which waits a moment and does not try again; of sentinels, of the master that they know."""
    waits: dict[str, Any] = {"socket_timeout": 5.0, "socket_connect_timeout": 2.0, "retry": Retry(NoBackoff(), 0)}
    if (known := sentinels(url)) is None:
        return Redis.from_url(url, **waits)
    return Sentinel(list(known.hosts), socket_timeout=2.0).master_for(known.name, **known.given, **waits)


def _reached(url: str) -> Redis | None:
    """A client of a Redis that answers; a new one may take a moment."""
    redis = connected(url)
    for _ in range(50):
        try:
            redis.ping()
            return redis
        except (RedisError, OSError):
            time.sleep(0.1)
    log.warning("no Redis for vectors, memory serves")
    return None


def _yield_to_others() -> None:
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
