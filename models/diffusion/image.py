"""Image diffusion as a live stream: SD, SD-Turbo, SDXL-Turbo, SDXS, LCM.  N denoising steps, C/Y/X latents.

Stream batch (arXiv 2312.12491): one call of the network makes step 1 of this frame, step 2 of the frame before, and so
on.  What comes out lies N - 1 frames behind; the first frame goes through all steps at once, so none is brown.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from reverie.models.blend import Blend, blend, styled
from reverie.models.diffusion.guidance import guided
from reverie.models.diffusion.network import ImageModel
from reverie.models.diffusion.schedule import Schedule, schedule
from reverie.models.diffusion.similar import Filter
from reverie.models.diffusion.words import Words
from reverie.models.stream import Frames, check


class Rows(NamedTuple):
    """What the network is asked, one row a latent."""

    latents: Tensor  # (N, C, Y, X)
    timesteps: Tensor  # (N,)
    words: Words  # of one row


Work = Generator[Rows, Tensor, Tensor]  # asks, is told what was predicted (N, C, Y, X), returns clean latents


class ImageStream:
    """A live stream: a look, fixed noise, and the frames that are on their way through the steps."""

    def __init__(self, model: ImageModel) -> None:
        self.model = model
        self._started = False
        self._frames, self._made = 0, 0
        self._words: Words | None = None
        self._plan: Schedule | None = None

    @property
    def work_saved(self) -> float:
        return 1 - self._made / self._frames if self._frames else 0.0

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed must be 0 to {2**32 - 1}, got {seed}")
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must be 0 to 1, got {strength}")
        self._seed, self._strength, self._size = seed, strength, (0, 0)
        self._waiting: Tensor | None = None
        self._shown: Frames | None = None
        self._filter = Filter(self.model.skip, seed)
        self._started = True
        self.wear(blend(look))

    def wear(self, look: Blend) -> None:
        if not self._started:
            raise RuntimeError("start the stream before it changes its look")
        model, (prompts, share) = self.model, styled(look)
        self._look, self._words, self._plan = look, None, None
        if prompts and self._strength > 0:
            self._words = model.mixed(prompts)
            strength = self._strength * share
            self._plan = schedule(model.scheduler, model.steps, strength, model.dtype, model.device)

    def step(self, frames: Frames) -> Frames:
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frames)
        if self._plan is None or not len(frames):
            return frames.copy()
        shown = []
        for frame in frames:
            ((_, picture),) = step_many([self], [frame])
            if isinstance(picture, Exception):
                raise picture
            shown.append(picture)
        return np.stack(shown)

    def skips(self, frame: Frames) -> Frames | None:
        """The frame (H, W, 3) as it was shown before, where it need not be made again; itself without a look."""
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frame[None])
        if self._plan is None:
            return frame.copy()
        self._frames += 1
        if frame.shape[:2] != self._size:
            self._size, self._waiting = (frame.shape[0], frame.shape[1]), None
        if self._filter.skips(frame) and self._shown is not None:
            return self._shown.copy()
        self._made += 1
        return None

    def work(self, source: Tensor) -> Work:
        """The steps of one frame, from its latents (1, C, Y, X)."""
        assert self._plan is not None and self._words is not None
        plan, model, steps = self._plan, self.model, self.model.steps
        calls = 1
        if self._waiting is None:  # nothing is on its way: this frame goes through all steps
            self._noise = noise(self._seed, (steps, *source.shape[1:])).to(source)
            self._waiting, self._anchors = plan.noisy(source, self._noise)[1:], source.repeat(steps - 1, 1, 1, 1)
            calls = steps
        for _ in range(calls):
            x = torch.cat((plan.signal[:1] * source + plan.noise[:1] * self._noise[:1], self._waiting))
            anchors = torch.cat((source, self._anchors))
            predicted = yield Rows(x, plan.timesteps, self._words)
            clean = plan.clean(x, guided(plan, x, predicted, anchors, model.guidance))
            self._anchors = anchors[:-1]
            self._waiting = plan.noisy(clean[:-1], self._noise, 1)
        return clean[-1:]

    def show(self, picture: Frames) -> Frames:
        self._shown = picture
        return picture.copy()

    def save(self) -> bytes:
        if not self._started:
            raise RuntimeError("start the stream before saving it")
        kept: dict[str, Tensor] = {}
        if self._waiting is not None:
            kept |= {"waiting": self._waiting.contiguous(), "anchors": self._anchors.contiguous()}
        for name, picture in (("shown", self._shown), ("made", self._filter.made)):
            if picture is not None:
                kept[name] = torch.from_numpy(picture)
        numbers = [self._seed, *self._size, self._filter.frame, self._filter.row]
        kept["numbers"] = torch.tensor(numbers, dtype=torch.int64)
        kept["strength"] = torch.tensor(self._strength, dtype=torch.float64)
        kept["look"] = torch.frombuffer(bytearray(json.dumps(self._look).encode()), dtype=torch.uint8)
        return save_tensors({name: x.cpu() for name, x in kept.items()}, {"model": self.model.name})

    def load(self, state: bytes) -> None:
        model = self.model
        try:
            kept = load_tensors(state)
            seed, height, width, frame, row = (int(n) for n in kept["numbers"])
            look = blend((str(prompt), float(w)) for prompt, w in json.loads(kept["look"].numpy().tobytes()))
            strength = float(kept["strength"])
            waiting, anchors = kept.get("waiting"), kept.get("anchors")
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is not a saved stream of {model.name}: {error}") from None
        shape = (model.steps - 1, model.channels, height // model.factor, width // model.factor)
        if waiting is not None and (anchors is None or tuple(waiting.shape) != shape or anchors.shape != waiting.shape):
            raise ValueError(f"saved latents are {tuple(waiting.shape)}, {model.name} needs {shape}")
        self.start(look, seed, strength)
        self._size, self._filter.frame, self._filter.row = (height, width), frame, row
        self._shown, self._filter.made = (kept[n].numpy() if n in kept else None for n in ("shown", "made"))
        if waiting is not None and anchors is not None:
            self._waiting, self._anchors = (x.to(model.device, model.dtype) for x in (waiting, anchors))
            self._noise = noise(seed, (model.steps, *shape[1:])).to(self._waiting)


def step_many(streams: Sequence[ImageStream], frames: Sequence[Frames]) -> Iterator[tuple[int, Frames | Exception]]:
    """`ImageModel.step_many`: in as few calls as sizes allow; a failed call is the error of those who were in it."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, (stream, frame) in enumerate(zip(streams, frames, strict=True)):
        try:
            shown = stream.skips(frame)
        except (ValueError, RuntimeError) as error:
            yield place, error
        else:
            if shown is None:
                groups.setdefault(frame.shape, []).append(place)
            else:
                yield place, shown
    for group in groups.values():
        try:
            made = _make_within_memory([streams[i] for i in group], np.stack([frames[i] for i in group]))
        except RuntimeError as error:
            yield from ((place, error) for place in group)
        else:
            yield from ((place, streams[place].show(picture)) for place, picture in zip(group, made, strict=True))


@torch.inference_mode()
def _make_within_memory(streams: list[ImageStream], frames: Frames) -> Frames:
    """`_make`; out of memory on a GPU, the model renders at half the sides from then on."""
    try:
        return _make(streams, frames)
    except torch.OutOfMemoryError:
        streams[0].model.recover()
        for stream in streams:
            stream._waiting = None
        return _make(streams, frames)


def _make(streams: list[ImageStream], frames: Frames) -> Frames:
    """Frames (T, H, W, 3) of as many streams, all of a size."""
    model = streams[0].model
    height, width = frames.shape[1:3]
    if model.shrunk > 1:
        small = tuple(max(16, side // model.shrunk // 16 * 16) for side in (width, height))
        frames = np.stack([cv2.resize(frame, small, interpolation=cv2.INTER_AREA) for frame in frames])
    sources = model.encode(frames)
    running = {i: stream.work(sources[i : i + 1]) for i, stream in enumerate(streams)}
    asked = {i: next(work) for i, work in running.items()}
    clean: dict[int, Tensor] = {}
    while asked:
        answers = model.predict(list(asked.values()))
        for i, answer in zip(list(asked), answers, strict=True):
            try:
                asked[i] = running[i].send(answer)
            except StopIteration as done:
                clean[i] = done.value
                del asked[i]
    made = model.decode(torch.cat([clean[i] for i in range(len(streams))]))
    if made.shape[1:3] != (height, width):
        made = np.stack([cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC) for picture in made])
    return made


def noise(seed: int, shape: tuple[int, ...]) -> Tensor:
    """The stream's fixed noise, the same for a seed on every machine."""
    generator = np.random.Generator(np.random.Philox(seed))
    return torch.from_numpy(generator.standard_normal(shape, np.float32))
