"""Four sessions on one device: `reverie bench sessions --json`.  nano at 512x288, the engine as the service has it, no network.

Turns alternate in one process.  `serial`: one session gets its next frame as soon as the last one is done.  `together`: four
sessions whose cameras give ten frames a second each, more than two cores can make, so that the newest wins.  `ratio` is frames
a second of all four over those of the one; it is the share of the processor's peak as well, for the work of a frame is the same.
`interval`: between the frames of one session, `p99_over_p50` the worst of the four.  The last turn lets a fifth session come and go
every second; `ratio_come_and_go` has its frames too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from clips import moving_camera
from environment import environment, table

from reverie.models import nano_kernel
from reverie.models.blend import blend
from reverie.server.engine import Engine, Feed, Look
from reverie.server.metrics import Metrics
from reverie.server.pictures import to_frame

SESSIONS, FPS, LOOKS = 4, 10, ("pencil sketch", "watercolour", "comic book", "thermal", "pop art")


class Session:
    """A feed whose styled frames are timed."""

    def __init__(self, engine: Engine, model: nano_kernel.Nano, look: str) -> None:
        self.times: list[float] = []
        self.done = threading.Event()
        self.feed = Feed(model.stream(), self._deliver, lambda reason: print(reason, file=sys.stderr))
        engine.add(self.feed)
        engine.take_on(self.feed, Look(look, blend(look)))

    def _deliver(self, frame: object, step: int) -> None:
        self.times.append(time.perf_counter())
        self.done.set()


def serial(engine: Engine, model: nano_kernel.Nano, frames: list, seconds: float) -> float:  # type: ignore[type-arg]
    session, number = Session(engine, model, LOOKS[0]), 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        session.done.clear()
        engine.put(session.feed, frames[number % len(frames)])
        session.done.wait(60)
        number += 1
    engine.remove(session.feed)
    return rate([session])


def together(engine: Engine, model: nano_kernel.Nano, frames: list, seconds: float, guest: bool) -> list[Session]:  # type: ignore[type-arg]
    sessions = [Session(engine, model, look) for look in LOOKS[:SESSIONS]]
    visitor: Session | None = None
    began, all_of_them = time.perf_counter(), list(sessions)
    for number in range(int(seconds * FPS * SESSIONS)):
        time.sleep(max(0.0, began + number / FPS / SESSIONS - time.perf_counter()))
        engine.put(sessions[number % SESSIONS].feed, frames[number // SESSIONS % len(frames)])
        if guest and number % (FPS * SESSIONS) == 0:
            if visitor is not None:
                engine.remove(visitor.feed)
            visitor = Session(engine, model, LOOKS[SESSIONS])
            all_of_them.append(visitor)
            engine.put(visitor.feed, frames[0])
    for session in all_of_them:
        engine.remove(session.feed)
    return all_of_them


def rate(sessions: list[Session]) -> float:
    """Frames a second, from the second frame on."""
    times = sorted(at for session in sessions for at in session.times)[1:]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0


def intervals(session: Session) -> list[float]:
    times = session.times[1:]
    return sorted(b - a for a, b in pairwise(times))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of a turn")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    model, engine = nano_kernel.load(skip=0.0), Engine(Metrics())
    for look in LOOKS:
        model.prepare(look)
    frames = [to_frame(picture) for picture in moving_camera(24)]
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1, FPS)
    serial(engine, model, frames, 2.0)
    alone, all_four, gaps = [], [], [[] for _ in range(SESSIONS)]  # type: list[float], list[float], list[list[float]]
    for _ in range(wanted.rounds):
        alone.append(serial(engine, model, frames, wanted.seconds))
        sessions = together(engine, model, frames, wanted.seconds, guest=False)
        all_four.append(rate(sessions))
        for mine, session in zip(gaps, sessions, strict=True):
            mine += intervals(session)
    guests = rate(together(engine, model, frames, wanted.seconds, guest=True))
    engine.stop()
    one, four = statistics.median(alone), statistics.median(all_four)
    at = lambda mine, share: sorted(mine)[min(len(mine) - 1, int(share * len(mine)))]
    rows = [{
        "sessions": SESSIONS, "serial_fps": round(one, 2), "together_fps": round(four, 2), "ratio": round(four / one, 3),
        "interval_p50_ms": round(statistics.median(at(mine, 0.5) for mine in gaps) * 1000, 1),
        "interval_p99_ms": round(max(at(mine, 0.99) for mine in gaps) * 1000, 1),
        "p99_over_p50": round(max(at(mine, 0.99) / at(mine, 0.5) for mine in gaps), 2),
        "ratio_come_and_go": round(guests / one, 3),
    }]  # fmt: skip
    print(table(rows))
    print(json.dumps({"bench": "sessions", "environment": environment(), "rows": rows}))


if __name__ == "__main__":
    main()
