"""One process, one device: the model once it is loaded, and who is being served."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import asdict

from reverie.client.protocol import FromServer, Nodes
from reverie.models.stream import Finishing, Model
from reverie.server import catalogue, fair, segment
from reverie.server.access import Caller, Tenant
from reverie.server.effects import Wanted, parse
from reverie.server.engine import Engine
from reverie.server.errors import AtCapacity, NotReady, OutOfMinutes, TenantAtCapacity, UnknownModel
from reverie.server.fair import Load
from reverie.server.files import Files
from reverie.server.fleet import Ask, Fleet
from reverie.server.job_work import Painter
from reverie.server.jobs import Jobs
from reverie.server.journal import Journal, journal_key
from reverie.server.ladder import Ladder
from reverie.server.line import Line, Use
from reverie.server.loading import WARM_SIZE, Warm, begin
from reverie.server.metrics import Metrics
from reverie.server.moderation import Denied
from reverie.server.nsfw import Filter, Judge
from reverie.server.placement import About, Holder
from reverie.server.recordings import Library, Limits
from reverie.server.resource import Resource
from reverie.server.returning import Returning
from reverie.server.rooms import Rooms
from reverie.server.search.service import Service
from reverie.server.session import Session
from reverie.server.settings import Settings
from reverie.server.webhooks import Webhooks, key_of

log = logging.getLogger(__name__)
GONE_KEPT = 64
NEWEST = "newest"  # in place of a session's id


class Node:
    """Owner of the model, the engine and the open sessions."""

    def __init__(self, settings: Settings, loading: Future[Warm] | None = None) -> None:
        """Args: loading: of the model, where it has begun."""
        self.settings = settings
        self.metrics = Metrics()
        networks = segment.folder(settings.segmenter)
        segmenter = segment.Segmenter(networks) if segment.is_here(networks) else None
        limits = Limits(settings.max_recording_s, settings.max_recording_mb * 1_000_000)
        self.recordings = Library(settings.data_folder / "recordings", limits, self.metrics)
        self.engine = Engine(self.metrics, settings.watermark, segmenter, Ladder(settings.render))
        self.effects = Wanted(tuple(map(parse, settings.effects)), settings.effect_ms, settings.effect_mb)
        key = key_of(settings.webhook_secret, settings.data_folder / "webhook-secret") if settings.webhook_urls else b""
        self.webhooks = Webhooks(settings.webhook_urls, key, self.metrics)
        self.recordings.ended = lambda made, tenant: self.webhooks.tell(
            "recording.ended", tenant=tenant, **asdict(made)
        )
        self.judge = Judge() if settings.nsfw else None
        self.denied = Denied.from_file(settings.deny_file)
        self.words = ThreadPoolExecutor(1, "words")  # the LLM
        self.sessions: dict[Session, None] = {}
        self.visits: set[asyncio.Task[None]] = set()  # WebSockets and WHIP, WHEP connections being served
        self.resources: dict[str, Resource] = {}  # WHIP and WHEP connections
        self.gone: dict[str, Resource] = {}  # that ended before their client said DELETE
        self.use = Use()
        self.line = Line(settings.queue, self._load_of_places)
        self.metrics.slots.set(settings.max_sessions)
        self.metrics.waiting.set_function(lambda: len(self.line) + self.fleet.waiting)
        self.rooms = Rooms()
        self.returning = Returning()
        self.files = Files(settings.data_folder / "files")
        self.jobs = Jobs(settings.data_folder / "jobs", self.metrics)
        self.model: Model | None = None
        self.fault = ""
        self.draining = False  # takes no new sessions
        self._loading = loading
        url = settings.node_url or f"http://{settings.host}:{settings.port}"
        self.fleet = Fleet(settings, url, self._about, lambda: {each.id: each.holder for each in self.sessions})
        self.fleet.lost, self.fleet.moved, self.fleet.beaten = self._end, self._moved, self._end_used_up
        self.journal = Journal(lambda: self.fleet.redis, self.fleet.keys, self._journal_key())
        self.search = Service(settings, self.fleet.keys, self.recordings.place)

    async def warm(self) -> None:
        """Wait until the model has taken its first steps; /readyz says when it has, or why it failed."""
        try:
            warm = await asyncio.wrap_future(self._loading or begin(self.settings))
            self.engine.rendering.begin(warm.stream, WARM_SIZE, warm.step_s)
        except (FileNotFoundError, ValueError) as error:
            self.fault = str(error)
            log.error("the model cannot be loaded: %s", error)
        except Exception as error:  # whatever a model's loader trips over: /readyz must not say "loading" for ever
            self.fault = f"the model cannot be loaded: {type(error).__name__}: {error}"
            log.exception("the model cannot be loaded")
        else:
            self.model, self._loading = warm.model, None
            self.metrics.follow(self.model.counts)
            wanted = self.settings
            self.jobs.begin(Painter(self.model, self.engine, self.denied, wanted.watermark, wanted.max_clip_s))
            self.metrics.ready.set(1)
            log.info("%s is ready", self.model.name)
            if isinstance(self.model, Finishing):
                await asyncio.to_thread(self.model.finish)

    def _about(self) -> About:
        models = (self.settings.model,) if self.model is not None else ()
        slots, load = self.settings.max_sessions, min(1.0, len(self.sessions) / self.settings.max_sessions)
        return About(self.fleet.id, self.fleet.url, self.settings.device, models, slots, load, self.draining)

    def _end(self, session_id: str) -> None:
        for session in self.sessions:
            if session.id == session_id:
                session.over.set()

    def _journal_key(self) -> bytes | None:
        """None for a fleet that has none: the nodes could not read each other's entries."""
        if self.settings.redis_url and not self.settings.journal_key:
            return None
        return journal_key(self.settings.journal_key, self.settings.data_folder / "journal.key")

    def _end_used_up(self) -> None:
        used = self.fleet.seconds_today[1]
        for session in self.sessions:
            if session.minutes and used.get(session.tenant, 0.0) >= 60 * session.minutes:
                session.end("out_of_minutes")

    def _moved(self) -> None:
        for session in self.sessions:
            session.tell(Nodes(self.fleet.urls))

    @contextmanager
    def admit(
        self, caller: Caller, asked: str, send: Callable[[FromServer], None], name: str = ""
    ) -> Iterator[Session]:
        """A session for a client that asked for a model.  Args: name: its id; "" gives it one.

        Raises: UnknownModel, NotReady, AtCapacity; Unauthorized if its client token does not allow the model.
        """
        self.check(caller, asked)
        if self.model is None or self.draining:
            raise NotReady
        holder = self.fleet.holder(name, self._holder(caller.tenant))
        if not self.has_place(holder):
            raise self.at_capacity()

        def told(message: FromServer) -> None:
            self.webhooks.hear(session.id, session.tenant, message)
            send(message)

        session = Session(self.model, self.engine, self.metrics, self.words, self.denied, told, self.effects)
        session.id = name or session.id
        session.screen.filter = Filter(self.judge, self.settings.nsfw) if self.judge else None
        self.metrics.sessions.inc()
        session.holder, session.fps, session.minutes = holder, caller.tenant.fps, caller.tenant.minutes
        began = self.use.began(session.tenant)
        self.sessions[session] = None
        self._give_way()
        about = {"session": session.id, "tenant": session.tenant}
        self.webhooks.tell("session.started", **about)
        try:
            yield session
        finally:
            self.webhooks.tell("session.ended", **about, reason=session.ending)
            del self.sessions[session]
            self.use.ended(session.tenant, began)
            self.metrics.sessions.dec()
            self._give_way()
            self.line.move()

    def claim(
        self, session: str, caller: Caller, stay: bool, tell: Callable[[FromServer], None] | None = None
    ) -> AbstractAsyncContextManager[None]:
        """A place in the fleet.  Args: stay, tell: as Ask's.  Raises: Elsewhere, AtCapacity, NotReady."""
        ask = Ask(stay, caller.tenant.sessions or self.settings.tenant_sessions, tell)
        return self.fleet.claim(session, caller.holder, self.settings.model, ask)

    def at_capacity(self) -> AtCapacity:
        """With the time after which the next one who comes would have a place."""
        wait_s = fair.wait_s(len(self.line) + 1, self._load_of_places())
        return AtCapacity(self.settings.max_sessions, 10 if wait_s is None else max(1, round(wait_s)))

    def has_place(self, of: Holder | Tenant) -> bool:
        """Whether a place is free, or lent to somebody who is further beyond its right."""
        load, slots = self._load_of_places(), self.settings.max_sessions
        mine = of if isinstance(of, Holder) else self._holder(of)
        return load.free(mine.rank) > 0 and len(self.sessions) < fair.CROWD * slots

    def _holder(self, tenant: Tenant) -> Holder:
        """With the rank of one place more."""
        load = self._load_of_places()
        used, right = load.used.get(tenant.name, 0), fair.right(load, tenant.name)
        return Holder(tenant.name, tenant.tier, fair.rank(tenant.tier, used, right, max(1, self.line.of(tenant.name))))

    def _load_of_places(self) -> Load:
        return self.use.load(self.settings.max_sessions, Counter(each.holder.rank for each in self.sessions))

    def _give_way(self) -> None:
        """Sessions beyond the places stand back: those furthest beyond their tenants' rights, the newest first."""
        for number, session in enumerate(sorted(self.sessions, key=lambda each: each.holder.rank)):
            session.stand_back(number >= self.settings.max_sessions)

    def check(self, caller: Caller, asked: str) -> None:
        """Raises: UnknownModel, Unauthorized; AtCapacity if the tenant's own places are taken; OutOfMinutes."""
        names = catalogue.names(asked, self.settings.model)
        if not names:
            raise UnknownModel(asked, self.settings.model)
        caller.may_use(*names)
        tenant = caller.tenant
        if tenant.minutes and self.fleet.seconds_today[1].get(tenant.name, 0.0) >= 60 * tenant.minutes:
            raise OutOfMinutes(tenant.name, tenant.minutes)
        if tenant.sessions and self.sessions_of(tenant) >= tenant.sessions:
            raise TenantAtCapacity(tenant.name, tenant.sessions)

    def sessions_of(self, tenant: Tenant) -> int:
        return sum(each.tenant == tenant.name for each in self.sessions)

    def find(self, session_id: str, tenant: str) -> Session | None:
        """A tenant's open session, by its id, or the one that began last: "newest"."""
        theirs = [each for each in self.sessions if each.tenant == tenant]
        newest = theirs[-1] if session_id == NEWEST and theirs else None
        return next((each for each in theirs if each.id == session_id), newest)

    def keep(self, made: Resource) -> None:
        """Until it is over."""
        self.resources[made.id] = made

        async def stay() -> None:
            try:
                await made.stay()
            finally:
                del self.resources[made.id]
                if not made.deleted:
                    self.gone[made.id] = made
                    while len(self.gone) > GONE_KEPT:
                        del self.gone[next(iter(self.gone))]

        visit = asyncio.get_running_loop().create_task(stay())
        self.visits.add(visit)
        visit.add_done_callback(self.visits.discard)

    async def drain(self) -> None:
        """Take no new sessions, and let the fleet know; those that run go on."""
        self.draining = True
        await self.fleet.say()

    async def hang_up(self, timeout_s: float = 2.0) -> None:
        """Tell every client that its session ends, and wait until it is told; before the sockets are closed."""
        await self.drain()
        for over in [session.over for session in self.sessions] + [made.over for made in self.resources.values()]:
            over.set()
        if self.visits:
            await asyncio.wait(self.visits, timeout=timeout_s)

    async def close(self) -> None:
        """End all sessions, each with a reason, and stop the device."""
        self.jobs.close()
        await self.recordings.close()
        await asyncio.gather(*(session.close("disconnect") for session in list(self.sessions)))
        await self.search.close()
        await self.webhooks.close()
        self.engine.stop()
        self.words.shutdown(wait=False, cancel_futures=True)
