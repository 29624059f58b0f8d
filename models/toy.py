"""A tiny model for tests and demonstrations: NumPy only, with the faults of real ones on request."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from reverie.models.blend import CAMERA, Blend, blend, styled
from reverie.models.picture import PREFIX, Picture, Pictures, named
from reverie.models.stream import Frames, one_by_one

TINTS = {"red": (1.0, 0.2, 0.2), "green": (0.2, 1.0, 0.2), "blue": (0.2, 0.2, 1.0)}
SLOW_S, CRAWL_S, STALL_S = 0.1, 0.3, 1.5


class ToyModel:
    """Inverts pictures.

    Words in the prompt: `red`, `green`, `blue` tint; `slow` takes 0.1 s a frame, `crawl` 0.3 s; `stall` stops for 1.5 s
    on every 20th frame; `crash` fails on the 10th.  A reference picture tints in its mean colour.
    """

    name = "toy"

    def __init__(self) -> None:
        self.pictures = Pictures((3,), lambda image: (image.mean((0, 1)) / 255).astype(np.float32))

    def stream(self) -> ToyStream:
        return ToyStream(self)

    def step_many(
        self, streams: Sequence[ToyStream], frames: Sequence[Frames]
    ) -> Iterator[tuple[int, Frames | Exception]]:
        return one_by_one(streams, frames)

    def prepare(self, prompt: str) -> None:
        self.tint(prompt)

    def picture(self, image: Picture) -> str:
        return self.pictures.take(image)

    def tint(self, prompt: str) -> NDArray[np.float32]:
        if prompt.startswith(PREFIX):
            return self.pictures[prompt]
        return np.array(next((TINTS[word] for word in prompt.split() if word in TINTS), (1.0, 1.0, 1.0)), np.float32)

    def counts(self) -> dict[str, int]:
        return {}

    def enhance(self, prompt: str) -> Iterator[str]:
        yield from (prompt, ", ", "in blue")

    def narrate(self, words: Sequence[str]) -> Iterator[str]:
        yield from ("I see ", words[0])


class ToyStream:
    work_saved = 0.0

    def __init__(self, model: ToyModel) -> None:
        self.model = model
        self._look: Blend | None = None

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        if not 0 <= seed < 2**32 or not 0 <= strength <= 1:
            raise ValueError(f"seed {seed} or strength {strength} is out of range")
        self._seed, self._strength, self._frame, self._look = seed, strength, 0, CAMERA
        self.wear(blend(look))

    def wear(self, look: Blend) -> None:
        if self._look is None:
            raise RuntimeError("start the stream before it changes its look")
        for prompt, _ in look:
            self.model.prepare(prompt)
        self._look = look

    def step(self, frames: Frames) -> Frames:
        if self._look is None:
            raise RuntimeError("start the stream before its first step")
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
            raise ValueError(f"frames must be uint8 (T, H, W, 3), got {frames.dtype} {frames.shape}")
        return np.stack([self._one(frame) for frame in frames]) if len(frames) else frames.copy()

    def _one(self, frame: Frames) -> Frames:
        assert self._look is not None
        parts, share = styled(self._look)
        words = {word for prompt, _ in parts for word in prompt.split()}
        self._frame += 1
        if "crash" in words and self._frame == 10:
            raise RuntimeError("the toy was asked to crash")
        stalls = "stall" in words and self._frame % 20 == 0
        time.sleep(SLOW_S if "slow" in words else CRAWL_S if "crawl" in words else STALL_S if stalls else 0)
        if not words:
            return frame.copy()
        tint = sum((weight * self.model.tint(prompt) for prompt, weight in parts), np.zeros(3, np.float32))
        return np.round(frame + self._strength * share * ((255 - frame) * tint - frame)).astype(np.uint8)

    def save(self) -> bytes:
        pictures = {key: self.model.pictures[key].tolist() for key in named(self._look or ())}
        return json.dumps([self._look, self._seed, self._strength, self._frame, pictures]).encode()

    def load(self, state: bytes) -> None:
        try:
            look, seed, strength, frame, pictures = json.loads(state)
            self.model.pictures.keep({key: np.array(tint, np.float32) for key, tint in pictures.items()})
            self.start(blend((str(prompt), float(weight)) for prompt, weight in look), seed, strength)
        except (ValueError, TypeError, AttributeError):
            raise ValueError("this is not a saved stream of toy") from None
        self._frame = int(frame)
