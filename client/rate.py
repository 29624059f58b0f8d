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
SILENCE_S, SILENCE_FLOOR = 2.0, 300_000  # reports come every 0.5 to 1.5 s; some receivers never send one
BURST_S = 0.5  # of its rate that a sender may be ahead
SLACK = 1.25  # over the rate; without it libvpx gives each of the fewer pictures more, and they stay few


class RateControl:
    """One sender's."""

    def __init__(self, start: int = START, ceiling: int = CEILING) -> None:
        self._rate, self._ceiling, self._remb = float(start), ceiling, ceiling
        self._trips: deque[tuple[float, float]] = deque()
        self._at: float | None = None
        self._calm_from = 0.0
        self._heard: float | None = None
        self._tried = True  # whether the rate is used
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
        """What the receiver believes that the link takes, b/s.

        It judges by what comes: a still picture, or a machine without time for another, makes it small for no reason.
        """
        self._remb = max(FLOOR, remb) if self._tried else self._ceiling

    def report(self, now: float, loss: float, sent: float, trip_s: float | None = None, held_up: bool = False) -> None:
        """A receiver's report.

        Args:
            now: seconds.
            loss: 0 to 1, since the report before.
            sent: b/s, since then.
            trip_s: the round trip, if it is known.
            held_up: whether more would have been sent, had the link taken it.
        """
        elapsed = min(2.0, now - self._at) if self._at is not None else 0.0
        self._at = self._heard = now
        self._tried = held_up or sent > 0.5 * self.bitrate
        if loss > LOSS:
            used = sent > 0.7 * self._rate  # else what arrived tells of the encoder, not of the link
            arrived = sent * (1 - loss) if used else 0.8 * self._rate
            self._known = max(arrived, 0.5 * self._known)
            self._fall(now, min(self._rate * (1 - 0.5 * loss), max(0.85 * arrived, 0.25 * self._rate)))
        elif trip_s is not None and self._rise(now, trip_s) > RISE_S:
            if self._tried:  # else it is no queue of ours
                self._fall(now, min(self._rate * 0.85, max(0.85 * sent, 0.5 * self._rate)))
        elif now >= self._calm_from and sent > 0.5 * self._rate:  # what was not tried is not known
            growth = GROWTH_KNOWN if self._rate < 0.7 * self._known else self._growth
            self._rate = min(self._ceiling, self._rate * growth**elapsed, 1.5 * self._remb)

    def silent(self, now: float) -> bool:
        """Tell, at every picture, that one is sent; True if the rate fell because reports do not come.

        A flooded link loses them too: at three times what it takes, two of three.
        """
        if self._heard is None:
            self._heard = now
        if now - self._heard <= SILENCE_S or self._rate <= SILENCE_FLOOR:
            return False
        self._heard = now - SILENCE_S / 2
        self._known = max(self._known, 0.5 * self._rate)
        self._fall(now, max(SILENCE_FLOOR, 0.5 * self._rate))
        return True

    def _fall(self, now: float, rate: float) -> None:
        self._rate = max(FLOOR, rate)
        self._calm_from, self._growth = now + CALM_S, GROWTH

    def _rise(self, now: float, trip_s: float) -> float:
        """How far a round trip is above the shortest of late, in seconds."""
        self._trips.append((now, trip_s))
        while self._trips[0][0] < now - MEMORY_S:
            self._trips.popleft()
        return trip_s - min(each for _, each in self._trips)


class Budget:
    """Holds what is sent to a rate, whatever an encoder makes of it: no queue of seconds can fill behind it."""

    def __init__(self) -> None:
        self._debt, self._at = 0.0, 0.0  # bits

    def spend(self, now: float, bits: int, bitrate: int) -> None:
        self._debt = max(0.0, self._debt - SLACK * bitrate * (now - self._at)) + bits
        self._at = now

    def wait_s(self, now: float, bitrate: int) -> float:
        """Until the next picture may be sent."""
        return max(0.0, self._debt / (SLACK * bitrate) - (now - self._at) - BURST_S)
