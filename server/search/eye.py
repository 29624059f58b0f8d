"""Pictures of a second or two to a window: what was seen, as vectors and as facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models import facts as measured
from reverie.models.search.pooling import SAMPLE, is_cut, motion, motion_axis, pooled, sample
from reverie.models.search.space import F32, Seen, Space
from reverie.server.search import people
from reverie.server.search.index import LIKE
from reverie.server.search.moments import Window
from reverie.server.search.telling import facts_of, maybe
from reverie.server.segment import Segmenter

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
WINDOW_S = 1.0
AGAIN_S, ALIKE = 6.0, 8.0  # so long, and within so many levels of 255 on the mean, a look at a picture holds
STALE_S = 12.0  # so long at most where the thread has taken its share of the processor
SURE, TOLD, UNSURE = 0.6, 0.85, 0.1  # share from which a look is told; likelihood of a name, told and a keyword


@dataclass(frozen=True, slots=True)
class Sight:
    """One sampled instant."""

    at: float  # Unix time in seconds, or seconds of footage
    source: Picture
    output: Picture | None  # None where nothing else was shown than the source
    style: str = ""
    media: str = ""
    media_s: float = 0.0


class Eye:
    """Collects what is seen until a window is full.  For one thread at a time."""

    def __init__(
        self, space: Space, segmenter: Segmenter | None = None, may: Callable[[], bool] = lambda: True
    ) -> None:
        """Args:
        segmenter: finds people who show no face; None says nothing of them.
        may: whether there is time for another look at what moves; scenes that begin are looked at in any case.
        """
        self._space, self._segmenter, self._may = space, segmenter, may
        found = people.model()
        self._faces = people.Faces(found) if found is not None else None
        self._asked: dict[str, str] = {}  # the last prompt, and the look that it asks for
        self._looked: dict[str, tuple[Picture, float, Seen]] = {}
        self._held: list[tuple[Sight, NDArray[np.uint8]]] = []
        self._who: tuple[int, float, float | None] = (0, 0.0, None)
        self._before: tuple[Sight, NDArray[np.uint8]] | None = None

    @cached_property
    def _axis(self) -> F32:
        return motion_axis(self._space)

    def put(self, sight: Sight) -> list[tuple[Window, Sight]]:
        """What an instant completes: a window with the sight that stands for it; a cut or another look ends one too."""
        grey, done = sample(sight.source), []
        if self._before is not None:
            last, last_grey = self._before
            other = (
                last.style != sight.style
                or last.media != sight.media
                or (last.output is None) != (sight.output is None)
            )
            if other or is_cut(last_grey, grey):
                done.append(self.finish())
                self._looked.clear()
        self._before = sight, grey
        self._held.append((sight, grey))
        if sight.at - self._held[0][0].at >= WINDOW_S:
            done.append(self.finish())
        return [each for each in done if each is not None]

    def finish(self) -> tuple[Window, Sight] | None:
        """A window of what is held."""
        held, self._held = self._held, []
        if not held:
            return None
        sights = [sight for sight, _ in held]
        moves = motion([grey for _, grey in held])
        middle = sights[len(sights) // 2]
        sides = {"source": middle.source} | ({} if middle.output is None else {"output": middle.output})
        longest_ago = sorted(sides, key=lambda side: self._looked[side][1] if side in self._looked else -np.inf)
        looks = {side: self._look(side, middle.at, sides[side]) for side in longest_ago}
        seen = {side: [looks[side]] for side in sides}
        vectors = {side: self._pooled(each, moves) for side, each in seen.items()}
        first = sights[0]
        facts = self._facts(middle.at, middle.source, first.source, seen["source"][0])
        shown = seen["output" if middle.output is not None else "source"][0]
        if look := self._worn(first.style) or (shown.look[0] if shown.look[1] >= SURE else ""):
            facts += (LIKE + look,)
        unsure = [name for each in seen.values() for name, sure in each[0].labels if sure >= UNSURE]
        hints = tuple(dict.fromkeys((*maybe(self._who[0], self._who[2]), *unsure)))
        window = Window(first.at, sights[-1].at, vectors, first.style, facts, first.media, first.media_s, hints)
        return window, middle

    def _worn(self, style: str) -> str:
        """The look that a prompt asks for, as far as it is known by a name."""
        if style not in self._asked:
            self._asked = {style: (self._space.looks(style) or [""])[0].replace("_", " ")}
        return self._asked[style]

    def _look(self, side: str, at: float, picture: Picture) -> Seen:
        """What a picture shows: what was seen before if it has hardly changed, or where there is no time."""
        small = np.asarray(cv2.resize(picture, SAMPLE, interpolation=cv2.INTER_AREA))
        if (last := self._looked.get(side)) is not None:
            before, when, seen = last
            if 0 <= at - when < AGAIN_S and float(cv2.absdiff(before, small).mean()) < ALIKE:
                return seen
            if 0 <= at - when < STALE_S and not self._may():
                return seen
        seen = self._space.pictures([picture])[0]
        self._looked[side] = small, at, seen
        return seen

    def _facts(self, at: float, picture: Picture, earlier: Picture, shown: Seen) -> tuple[str, ...]:
        if earlier.shape != picture.shape:
            earlier = picture
        if self._looked["source"][1] == at:  # who is there is looked for as often as what is there
            self._who = self._find(picture)
        faces, face, share = self._who
        told = tuple(label for label in shown.labels[:1] if label[1] >= TOLD)
        seen = measured.Seen(float(faces > 0), share or 0.0, face, None, told)
        return facts_of(faces, share, measured.measure(picture, earlier, seen))

    def _find(self, picture: Picture) -> tuple[int, float, float | None]:
        """How many faces, the height of the largest as a share of the picture's, and the share that shows people."""
        faces = self._faces.find(picture) if self._faces is not None else np.zeros((0, 4))
        share = float((self._segmenter.probability(picture) > 0.5).mean()) if self._segmenter is not None else None
        return len(faces), float(faces[:, 3].max() / picture.shape[0]) if len(faces) else 0.0, share

    def _pooled(self, seen: Sequence[Seen], moves: float) -> F32:
        return pooled(np.stack([each.vector for each in seen]), moves, self._axis)
