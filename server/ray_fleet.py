"""`reverie fleet`: nodes as named actors of Ray, one for each device.

Ray gives them room (cores, GPUs, NeuronCores), on any of its machines, and starts again what dies.  We say how many
there should be, by who waits and who is served, and let a node that goes finish its sessions first.  Clients reach the
nodes themselves: neither signalling nor media passes through Ray.
"""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from reverie.server.embedded import EmbeddedRedis
from reverie.server.journal import journal_key
from reverie.server.ray_cluster import LOCAL, connect, needs
from reverie.server.ray_node import STOP_S, Look, RayNode
from reverie.server.scaling import Scaler, Seen
from reverie.server.settings import Settings

TICK_S = 1.0
ROOM_S = 30.0  # after which a node that is not there is spoken of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator says of a fleet."""

    nodes: int  # at least
    most: int
    cpus: float  # cores of a node on a CPU
    patience_s: float  # of quiet before there is one node less
    drain_s: float  # that sessions of a node that goes may last; then their clients are sent to others


@dataclass(slots=True)
class Member:
    """A node, as far as it is known."""

    number: int
    actor: Any
    since: float
    asked: Any = None  # the answer that is awaited
    seen: Look | None = None
    told_pid: int = 0
    drains_until: float | None = None

    @property
    def serves(self) -> bool:
        return self.seen is not None and self.seen.ready and self.drains_until is None


def run(settings: Settings, wanted: Wanted, address: str) -> None:
    """Keep the fleet until SIGINT or SIGTERM.  Raises ValueError if it cannot be begun."""
    scaler = Scaler(wanted.nodes, wanted.most, wanted.patience_s)
    if address != LOCAL and not settings.redis_url:
        raise ValueError("nodes on several machines need one Redis: set REVERIE_REDIS_URL")
    redis = EmbeddedRedis(settings.data_folder / "redis") if not settings.redis_url else None
    if redis is not None and not redis.start():
        raise ValueError("a fleet needs Redis: set REVERIE_REDIS_URL, or pip install 'reverie[redis]'")
    key = journal_key(settings.journal_key, settings.data_folder / "journal.key").hex()
    settings = replace(settings, redis_url=settings.redis_url or (redis.url if redis else ""), journal_key=key)
    ray = connect(address)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    where = ray.get_runtime_context().gcs_address
    print(f"Reverie's fleet: {wanted.nodes} to {wanted.most} nodes. Ray is at {where}", flush=True)
    fleet = RayFleet(ray, settings, wanted, scaler, detached=address != LOCAL)
    try:
        while not stopped.is_set():
            if redis is not None:
                redis.start()  # again, if it has ended
            fleet.tick(time.monotonic())
            stopped.wait(TICK_S)
    finally:
        fleet.close()
        ray.shutdown()
        if redis is not None:
            redis.stop()


class RayFleet:
    """The actors.  `tick` looks at them and changes their number; it waits for nothing."""

    def __init__(
        self, ray: Any, settings: Settings, wanted: Wanted, scaler: Scaler, detached: bool,
        say: Callable[[str], None] = lambda text: print(text, flush=True),
    ) -> None:  # fmt: skip
        """Args: detached: whether nodes outlive us, until the next `reverie fleet`, which goes on with them."""
        self._ray, self._settings, self._wanted, self._scaler, self._say = ray, settings, wanted, scaler, say
        self._lifetime = {"lifetime": "detached"} if detached else {}
        self._prefix = f"{settings.fleet}-node-"
        self._suffix = f"-{hashlib.sha256(repr(settings).encode()).hexdigest()[:12]}"
        self.members: dict[int, Member] = {}
        self._begin()

    def _begin(self) -> None:
        """Go on with nodes that an earlier process left; those of other settings end."""
        for name in self._ray.util.list_named_actors():
            if name.startswith(self._prefix):
                actor = self._ray.get_actor(name)
                if name.endswith(self._suffix):
                    number = int(name.removeprefix(self._prefix).removesuffix(self._suffix))
                    self.members[number] = Member(number, actor, time.monotonic())
                else:
                    self._ray.wait([actor.stop.remote()], timeout=STOP_S)
                    self._ray.kill(actor)

    def tick(self, now: float) -> None:
        """Raises ValueError if a node cannot be started at all."""
        for member in tuple(self.members.values()):
            self._look(member, now)
        serving = [each for each in self.members.values() if each.serves]
        staying = [each for each in self.members.values() if each.drains_until is None]
        sessions = sum(each.seen.sessions for each in serving if each.seen)
        waiting = sum(each.seen.waiting for each in self.members.values() if each.seen)
        slots = self._settings.max_sessions
        seen = Seen(len(serving), len(staying) - len(serving), slots, sessions, waiting)
        target = self._scaler.wanted(seen, now)
        for _ in range(target - len(staying)):
            self._add(now, waiting)
        if target < len(staying):
            self._shrink(staying, now)

    def close(self) -> None:
        """End all nodes; their clients are told."""
        ends = [member.actor.stop.remote() for member in self.members.values() if member.seen is not None]
        if ends:
            self._ray.wait(ends, num_returns=len(ends), timeout=STOP_S)
        for member in self.members.values():
            self._ray.kill(member.actor)
        self.members.clear()

    def _add(self, now: float, waiting: int) -> None:
        number = next(n for n in range(len(self.members) + 1) if n not in self.members)
        mine = replace(
            self._settings, port=self._settings.port and self._settings.port + number,
            data=str(self._settings.data_folder / "nodes" / str(number)),
        )  # fmt: skip
        made = self._ray.remote(RayNode).options(
            name=f"{self._prefix}{number}{self._suffix}", max_restarts=-1, max_concurrency=4,
            **self._lifetime, **needs(self._settings.device, self._wanted.cpus),
        )  # fmt: skip
        self.members[number] = Member(number, made.remote(mine), now)
        if waiting:
            self._say(f"node {number} is added: {waiting} clients wait")

    def _shrink(self, staying: list[Member], now: float) -> None:
        """By one: what serves nobody yet, else the one with the fewest sessions."""
        if coming := [each for each in staying if not each.serves]:
            self._ray.kill(coming[-1].actor)
            del self.members[coming[-1].number]
            self._say(f"node {coming[-1].number} is not needed any more")
        else:
            self._drain(min(staying, key=lambda each: (each.seen.sessions if each.seen else 0, -each.number)), now)

    def _drain(self, member: Member, now: float) -> None:
        member.drains_until = now + self._wanted.drain_s
        member.actor.drain.remote()
        self._say(f"node {member.number} takes no new sessions, and goes once its {_sessions(member)} are over")

    def _look(self, member: Member, now: float) -> None:
        if member.asked is None:
            member.asked = member.actor.look.remote()
            return
        if not self._ray.wait([member.asked], timeout=0)[0]:
            if member.seen is None and now - member.since > ROOM_S:
                self._say(f"node {member.number} waits for room on the cluster, or for its model")
                member.since = now
            return
        asked, member.asked = member.asked, None
        try:
            member.seen = self._ray.get(asked)
        except self._ray.exceptions.ActorDiedError as error:
            del self.members[member.number]
            if member.drains_until is None:
                raise ValueError(f"node {member.number} cannot be started: {_reason(error)}") from None
            return
        except self._ray.exceptions.RayActorError:
            if member.seen is not None:
                self._say(f"node {member.number} died; Ray starts it again")
            member.seen, member.since = None, now
            return
        self._tell(member)
        if member.drains_until is not None and (not member.seen.sessions or now >= member.drains_until):
            self._end(member)

    def _tell(self, member: Member) -> None:
        assert member.seen is not None
        if member.seen.fault:
            raise ValueError(f"node {member.number}: {member.seen.fault}")
        if member.seen.ready and member.seen.pid != member.told_pid:
            member.told_pid = member.seen.pid
            self._say(f"node {member.number} is at {member.seen.url} (process {member.seen.pid})")

    def _end(self, member: Member) -> None:
        """Its clients are told; they connect to another node by themselves, which goes on with their looks."""
        self._ray.wait([member.actor.stop.remote()], timeout=STOP_S)
        self._ray.kill(member.actor)
        del self.members[member.number]
        self._say(f"node {member.number} is gone")


def _sessions(member: Member) -> str:
    count = member.seen.sessions if member.seen else 0
    return f"{count} session{'' if count == 1 else 's'}"


def _reason(error: Exception) -> str:
    """The last line of what Ray tells of a constructor that failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
