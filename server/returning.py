"""Clients that lost their connection and come back: what they saw last is kept for 30 s.

Decart's SDKs connect anew by themselves, but then send what they began with, or nothing.  A client is known again by
its key, its address, its program and the model; and by beginning as it had begun, or with nothing: who asks for
something else gets that.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from reverie.client.protocol import ChangeSettings, Prompt, SetImage

KEPT_S = 30.0
LATE_S = 45.0  # a lost connection may be noticed as late, when its client is back already
MAX_KEPT = 256
MAX_SAID = 20
Said = Prompt | SetImage | ChangeSettings
NOTHING = SetImage()  # what Decart's Python SDK begins with when it comes back


@dataclass(frozen=True, slots=True)
class Hint:
    """By what a client is known again."""

    tenant: str
    credential: str
    address: str
    program: str
    model: str


@dataclass(frozen=True, slots=True)
class Visit:
    """What a client said: first, and all that still counts."""

    first: Prompt | SetImage | None
    said: tuple[Said, ...]

    def after(self, message: Said) -> Visit:
        """With one more message; what it replaces no longer counts."""
        first = self.first if self.first is not None or isinstance(message, ChangeSettings) else message
        match message:
            case SetImage():  # the whole look
                return Visit(first, (*(each for each in self.said if isinstance(each, ChangeSettings)), message))
            case Prompt():  # a picture stays
                return Visit(first, (*(each for each in self.said if not isinstance(each, Prompt)), message))
            case _:  # settings add up
                return Visit(first, (*self.said[-MAX_SAID:], message))


class Returning:
    """Visits that ended against the client's will."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[Hint, list[tuple[float, Visit]]] = OrderedDict()
        self._back: dict[Callable[[Visit], None], tuple[float, Hint, Prompt | SetImage]] = {}

    def keep(self, hint: Hint, visit: Visit) -> None:
        if not visit.said:
            return
        self._forget()
        for found, (_, known, first) in tuple(self._back.items()):
            if known == hint and first in (NOTHING, visit.first):
                del self._back[found]
                return found(visit)
        self._kept.setdefault(hint, []).append((self._now() + KEPT_S, visit))
        while sum(map(len, self._kept.values())) > MAX_KEPT:
            self._kept.popitem(last=False)

    def back(self, hint: Hint, first: Prompt | SetImage) -> Visit | None:
        """The visit that this one goes on with, once; None if it is a new one."""
        self._forget()
        visits = self._kept.get(hint, [])
        for number, (_, visit) in enumerate(visits):
            if first in (NOTHING, visit.first):
                del visits[number]
                return visit
        return None

    def expect(self, hint: Hint, first: Prompt | SetImage, found: Callable[[Visit], None]) -> None:
        """Somebody began; told if its visit before turns out to be lost only now."""
        self._back[found] = (self._now() + LATE_S, hint, first)

    def decline(self, found: Callable[[Visit], None]) -> None:
        """It said something new, or left."""
        self._back.pop(found, None)

    def _forget(self) -> None:
        now = self._now()
        self._back = {found: each for found, each in self._back.items() if each[0] > now}
        for hint, visits in tuple(self._kept.items()):
            visits[:] = [each for each in visits if each[0] > now]
            if not visits:
                del self._kept[hint]
