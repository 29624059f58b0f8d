"""Facts to sentences that say nothing else: captions, digests and chapters.

A template puts facts side by side.  The LLM's scene note of a session may phrase them instead: it is taken only if
every word of it is one of the facts' or has no content of its own, so it can name nothing that was not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from reverie.models import facts as measured
from reverie.server.search.fusion import STOP, words
from reverie.server.search.moments import Moment, caption

NEUTRAL = frozenset(
    words("also around background both camera captured close colour colours contains dominated facing features filled "
          "front full here into light lit look looks main mainly mood mostly over palette present seen setting shown "
          "shows style together tone tones under very view visible while within without")
)  # fmt: skip


def counted(faces: int, people: float | None) -> list[str]:
    """Who is there.  Args: people: share of the picture that shows people; None is not known.

    Without a face nobody is told of: what finds outlines of people finds those of animals too.
    """
    if faces:
        return ["1 person" if faces == 1 else f"{faces} people"]
    return ["nobody"] if people is not None and people < 0.01 else []


def maybe(faces: int, people: float | None) -> list[str]:
    """The same for keywords alone, where it is too unsure to be told."""
    return ["somebody", "person"] if not faces and people is not None and people > 0.08 else []


def facts_of(faces: int, people: float | None, rest: measured.Facts) -> tuple[str, ...]:
    """Everything that is known of an instant, in phrases."""
    return tuple(dict.fromkeys([*counted(faces, people), *measured.words(rest)]))


def unsupported(text: str, facts: Sequence[str]) -> list[str]:
    """The words of a text that no fact has and that are not empty of content."""
    known = set(words(" ".join(facts))) | NEUTRAL | STOP
    return [word for word in words(text) if word not in known]


def phrased(facts: Sequence[str], sentence: str, style: str = "") -> str:
    """A sentence of the LLM's, if the facts bear every word of it, with what it leaves out; else the template."""
    sentence, said = sentence.strip().rstrip(".;,"), set(words(sentence))
    if not said or unsupported(sentence, facts) or len(said & set(words(" ".join(facts)))) < 2:
        return caption(facts, style)
    rest = caption([fact for fact in facts if not set(words(fact)) <= said | STOP])
    look = f"look: {style}" if style else ""
    return "; ".join(each for each in (sentence, rest[:1].lower() + rest[1:], look) if each)


def digest(moments: Sequence[Moment]) -> str:
    """What happened when: a line per moment, in UTC."""
    lines = [f"{_clock(m.begin)} - {_clock(m.end)}  {_said(m)}" for m in sorted(moments, key=lambda m: m.begin)]
    return "\n".join(lines) + ("\n" if lines else "")


def chapters(moments: Sequence[Moment], origin: float) -> str:
    """The same as WebVTT chapters (W3C).  Args: origin: Unix time of the recording's first picture."""
    cues = ["WEBVTT\n"]
    for number, m in enumerate(sorted(moments, key=lambda m: m.begin), 1):
        begin, end = max(0.0, m.begin - origin), max(0.001, m.end - origin)
        text = " ".join(_said(m).replace("-->", "→").replace("&", "&amp;").replace("<", "&lt;").split())
        cues.append(f"{number}\n{_cue(begin)} --> {_cue(max(end, begin + 0.001))}\n{text}\n")
    return "\n".join(cues)


def _said(m: Moment) -> str:
    return m.caption or caption(m.facts, m.style) or "no facts"


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def _cue(at: float) -> str:
    whole = round(at * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"
