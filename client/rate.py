"""What a link takes: send-side rate control from what the receiver reports.  Pure; time comes in.

Loss, a rise of the round-trip time and the receiver's own estimate (REMB) each have a say (DESIGN.md, media path).
"""

from __future__ import annotations

from collections import deque

FLOOR, CEILING = 50_000, 4_000_000  # b/s
START, START_NEAR = 1_200_000, 2_500_000  # b/s; near is this machine or a private network
LOSS = 0.1  # above it the rate falls
RISE_S = 0.05  # of the round trip over its minimum, above which a queue is filling
MEMORY_S = 20.0  # in which the minimum is looked for
GROWTH_NEW, GROWTH = 1.25, 1.08  # a second, before and after the first trouble
GROWTH_KNOWN = 1.4  # while it is far below what is known to arrive
CALM_S = 1.0  # after trouble, before the rate grows again


class RateControl:
    """One sender's."""

    def __init__(self, start: int = START, ceiling: int = CEILING) -> None:
        self._rate, self._ceiling, self._remb = float(start), ceiling, ceiling
        self._trips: deque[tuple[float, float]] = deque()
        self._at: float | None = None
        self._calm_from = 0.0
        self._growth, self._known = GROWTH_NEW, 0.0  # b/s that arrived when the link was full

    @property
    def bitrate(self) -> int:
        """b/s."""
        return int(max(FLOOR, min(self._rate, self._remb)))

    def begin(self, bitrate: int) -> None:
        """Another start, before anything was reported."""
        if self._at is None:
            self._rate = bitrate

    def bound(self, remb: int) -> None:
        """What the receiver believes that the link takes, b/s."""
        self._remb = max(FLOOR, remb)

    def report(self, now: float, loss: float, sent: float, trip_s: float | None = None) -> None:
        """A receiver's report.

        Args:
            now: seconds.
            loss: 0 to 1, since the report before.
            sent: b/s, since then.
            trip_s: the round trip, if it is known.
        """
        elapsed = min(2.0, now - self._at) if self._at is not None else 0.0
        self._at = now
        if loss > LOSS:
            used = sent > 0.7 * self._rate  # else what arrived tells of the encoder, not of the link
            arrived = sent * (1 - loss) if used else 0.8 * self._rate
            self._known = max(arrived, 0.5 * self._known)
            self._fall(now, min(self._rate * (1 - 0.5 * loss), max(0.85 * arrived, 0.25 * self._rate)))
        elif trip_s is not None and self._rise(now, trip_s) > RISE_S:
            self._fall(now, min(self._rate * 0.85, max(0.85 * sent, 0.5 * self._rate)))
        elif now >= self._calm_from and sent > 0.5 * self._rate:  # what was not tried is not known
            growth = GROWTH_KNOWN if self._rate < 0.7 * self._known else self._growth
            self._rate = min(self._ceiling, self._rate * growth**elapsed, 1.5 * self._remb)

    def _fall(self, now: float, rate: float) -> None:
        self._rate = max(FLOOR, rate)
        self._calm_from, self._growth = now + CALM_S, GROWTH

    def _rise(self, now: float, trip_s: float) -> float:
        """How far a round trip is above the shortest of late, in seconds."""
        self._trips.append((now, trip_s))
        while self._trips[0][0] < now - MEMORY_S:
            self._trips.popleft()
        return trip_s - min(each for _, each in self._trips)
