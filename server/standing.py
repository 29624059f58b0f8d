"""What a session shows at a moment, styled frames or the camera, and why."""

from __future__ import annotations

import time

from reverie.client.protocol import Status
from reverie.server.engine import Look
from reverie.server.pace import Pace

LENT = "the place was lent, and who has a right to it is here; the look comes back when one is free"


class Standing:
    """Follows what the model makes for one session; tells news, each of them once."""

    def __init__(self) -> None:
        self.crashed = ""  # why, if the stream has crashed
        self._told: Status | None = None  # the last news
        self._pace = Pace()
        self._styled_at = self._asked_at = float("-inf")  # time.monotonic() of the last styled frame, of the last wish

    @property
    def state(self) -> str:
        """As told last; "" before the first news."""
        return "" if self._told is None else self._told.state

    def begin(self) -> None:
        """A look is wanted where there was none: the model has its time to begin."""
        self._asked_at = time.monotonic()
        self._pace.begin()

    def made(self, lag_s: float) -> None:
        """The model made a frame, which lies so many seconds behind what is shown."""
        self._pace.made(time.monotonic())
        if lag_s < self._pace.limit_s:  # else the camera goes on: this frame is too old to be shown
            self._styled_at = time.monotonic()

    @property
    def late(self) -> bool:
        """Whether the model had its time."""
        return time.monotonic() - max(self._styled_at, self._asked_at) > self._pace.limit_s

    def news(self, look: Look, hidden: str, behind: bool, limited: str) -> Status | None:
        """What to tell the client, if it has changed.

        Args:
            hidden: why the picture is hidden, "" if it is not.
            behind: whether the session's place was lent.
            limited: how the model is less than was asked for, "" if it is not.
        """
        status = self._status(look, hidden, behind, limited)
        if status == self._told or status.state == self.state == "stalled":
            return None  # a stall is said once, with the limit of then
        self._told = status
        return status

    def _status(self, look: Look, hidden: str, behind: bool, limited: str) -> Status:
        if hidden:
            return Status("hidden", hidden)
        if self.crashed:
            return Status("crashed", self.crashed)
        if not look.styled:
            return Status("passthrough", "no look is set")
        if self.late:
            why = LENT if behind else f"the model made no frame for {self._pace.limit_s * 1000:.0f} ms"
            return Status("stalled", f"{why}; the camera is shown")
        return Status("styled", f"{look.name} ({limited})" if limited else look.name)
