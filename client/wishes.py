"""What becomes of the looks that viewers wish for: one after the other, or by vote.  Pure; time comes in."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Protocol

MAX_PROMPT = 120


@dataclass(frozen=True, slots=True)
class Line:
    """What a viewer wrote, in chat or with a reward."""

    user: str  # login, lower case
    text: str
    moderator: bool  # or the channel's owner
    paid: bool = False  # with channel points; the text is the look alone


@dataclass(frozen=True, slots=True)
class Wish:
    user: str
    prompt: str


@dataclass
class Rules:
    """Whose wish counts, and what may be wished; remembers who wished when."""

    command: str = "!look"
    cooldown_s: float = 30.0  # of each viewer; moderators and who paid have none
    moderators_only: bool = False  # in chat
    allow: frozenset[str] = frozenset()  # users; empty is everybody
    deny: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()  # lower case; a prompt that has one of them is refused
    _last: dict[str, float] = field(default_factory=dict)

    def wish(self, line: Line, now: float) -> Wish | None:
        """What a line asks for, if its writer may; the server's own deny list has the last word."""
        first, _, rest = line.text.partition(" ")
        if not line.paid and first.lower() != self.command:
            return None
        prompt = clean(line.text if line.paid else rest)
        if not prompt or line.user in self.deny or any(word in prompt.lower() for word in self.words):
            return None
        if line.paid:
            return Wish(line.user, prompt)
        if (self.allow and line.user not in self.allow) or (self.moderators_only and not line.moderator):
            return None
        if not line.moderator and now - self._last.get(line.user, -1e9) < self.cooldown_s:
            return None
        self._last[line.user] = now
        return Wish(line.user, prompt)


def clean(text: str) -> str:
    """One line of letters that show, without addresses of the web."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(word for word in shown.split() if "://" not in word)[:MAX_PROMPT].strip()


class Plan(Protocol):
    def add(self, wish: Wish, now: float) -> bool:
        """False if there is no room for it."""

    def due(self, now: float) -> Wish | None:
        """The look to put on now, if it is time for one."""


class Queue:
    """Looks in the order of their wishes, each for a while; with 0 s at once.  One waiting wish a viewer, the last."""

    def __init__(self, hold_s: float, most: int = 20) -> None:
        self._hold_s, self._most, self._free_at = hold_s, most, float("-inf")
        self._waiting: deque[Wish] = deque()

    def add(self, wish: Wish, now: float) -> bool:
        self._waiting = deque(each for each in self._waiting if each.user != wish.user)
        if len(self._waiting) >= self._most:
            return False
        self._waiting.append(wish)
        return True

    def due(self, now: float) -> Wish | None:
        if not self._waiting or now < self._free_at:
            return None
        self._free_at = now + self._hold_s
        return self._waiting.popleft()


class Vote:
    """Rounds of some length from the first wish on; the look with most voices wins, of equals the one named first."""

    def __init__(self, round_s: float) -> None:
        self._round_s, self._ends = round_s, 0.0
        self._voices: dict[str, str] = {}

    def add(self, wish: Wish, now: float) -> bool:
        """A viewer has one voice, the last."""
        if not self._voices:
            self._ends = now + self._round_s
        self._voices.pop(wish.user, None)
        self._voices[wish.user] = wish.prompt
        return True

    def due(self, now: float) -> Wish | None:
        if not self._voices or now < self._ends:
            return None
        tally = Counter(map(str.casefold, self._voices.values()))
        count = max(tally.values())
        winner = next(prompt for prompt in self._voices.values() if tally[prompt.casefold()] == count)
        self._voices = {}
        return Wish(f"{count} of the viewers" if count > 1 else "a viewer", winner)
