"""Image diffusion as a live stream: SD, SD-Turbo, SDXL-Turbo, SDXS, LCM.  N denoising steps, C/Y/X latents.

Stream batch (arXiv 2312.12491): one call of the network makes step 1 of this frame, step 2 of the frame before, and so
on.  What comes out lies N - 1 frames behind; the first frame goes through all steps at once, so none is brown.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from reverie.models.blend import Blend, blend, styled
from reverie.models.diffusion.ask import Named
from reverie.models.diffusion.flow import Grey, steadied
from reverie.models.diffusion.guidance import guided
from reverie.models.diffusion.network import ImageModel
from reverie.models.diffusion.schedule import Schedule, schedule
from reverie.models.diffusion.similar import Filter
from reverie.models.diffusion.wish import Wish
from reverie.models.diffusion.words import Words, joined
from reverie.models.picture import named as pictures
from reverie.models.stream import Frames, check, check_start


class Rows(NamedTuple):
    """What the network is asked, one row a latent."""

    latents: Tensor  # (N, C, Y, X)
    timesteps: Tensor  # (N,)
    words: Words  # of N rows
    picture: Tensor | None = None  # (N, T, D) of reference pictures, where the model takes them
    maps: Mapping[str, Tensor] = MappingProxyType({})  # (N, 3, H, W), what ControlNets are shown
    scales: Named = ()  # of ControlNets


class Shot(NamedTuple):
    """A camera's frame as a stream needs it."""

    source: Tensor  # latents (1, C, Y, X)
    maps: Mapping[str, Tensor] = MappingProxyType({})  # (1, 3, H, W), what ControlNets are shown
    grey: Grey | None = None  # for the way of things from frame to frame


Work = Generator[Rows, Tensor, Tensor]  # asks, is told what was predicted (N, C, Y, X), returns clean latents


class ImageStream:
    """A live stream: a look, fixed noise, and the frames that are on their way through the steps."""

    def __init__(self, model: ImageModel) -> None:
        self.model = model
        self._started = False
        self._frames, self._made = 0, 0
        self.wish: Wish | None = None
        self._plan: Schedule | None = None

    @property
    def loras(self) -> Named:
        return self.wish.loras if self.wish is not None else ()

    @property
    def work_saved(self) -> float:
        return 1 - self._made / self._frames if self._frames else 0.0

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        check_start(seed, strength)
        self._seed, self._strength, self._size = seed, strength, (0, 0)
        self.forget()
        self._shown: Frames | None = None
        self._filter = Filter(self.model.skip, seed)
        self._started = True
        self.wear(blend(look))

    def forget(self) -> None:
        """What is on its way: the next frame goes through all steps at once."""
        self._waiting: Tensor | None = None
        self._maps: dict[str, Tensor] = {}
        self._greys: list[Grey] = []
        self._clean: tuple[Tensor, Grey] | None = None

    def wear(self, look: Blend) -> None:
        if not self._started:
            raise RuntimeError("start the stream before it changes its look")
        model, (prompts, share) = self.model, styled(look)
        wish = model.wish(prompts) if prompts and self._strength > 0 else None
        self._look, self.wish, self._plan = look, wish, None
        if wish is not None:
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
            ((_, picture),) = self.model.step_many([self], [frame])
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
            self._size = frame.shape[0], frame.shape[1]
            self.forget()
        if self._filter.skips(frame) and self._shown is not None:
            return self._shown.copy()
        self._made += 1
        return None

    def work(self, shot: Shot) -> Work:
        """The steps of one frame."""
        assert self._plan is not None and self.wish is not None
        plan, wish, steps = self._plan, self.wish, self.model.steps
        if self._waiting is not None and self._waiting.shape[2:] != shot.source.shape[2:]:
            self.forget()  # the model paints smaller since memory ran out
        source, calls = self._steadied(shot, wish.steady), 1
        if self._waiting is None:  # nothing is on its way: this frame goes through all steps
            self._noise = noise(self._seed, (steps, *source.shape[1:])).to(source)
            self._waiting, self._anchors = plan.noisy(source, self._noise)[1:], source.repeat(steps - 1, 1, 1, 1)
            self._maps, calls = {}, steps
        maps = {
            name: torch.cat((each, self._maps.get(name, each.expand(steps - 1, -1, -1, -1))))
            for name, each in shot.maps.items()
        }
        for _ in range(calls):
            x = torch.cat((plan.signal[:1] * source + plan.noise[:1] * self._noise[:1], self._waiting))
            predicted = yield self._asked(wish, plan, x, maps)
            anchor = plan.only(0).clean(x[:1], predicted[steps:]) if wish.rows else source
            anchors = torch.cat((anchor, self._anchors))
            clean = plan.clean(x, guided(plan, x, predicted[:steps], anchors, wish.guidance))
            self._anchors = anchors[:-1]
            self._waiting = plan.noisy(clean[:-1], self._noise, 1)
        self._maps = {name: each[:-1] for name, each in maps.items()}
        self._remember(shot.grey, clean[-1:])
        return clean[-1:]

    def _asked(self, wish: Wish, plan: Schedule, x: Tensor, maps: dict[str, Tensor]) -> Rows:
        """The rows of the steps, and the first once more for a negative prompt."""
        words, t, picture = wish.words.times(len(x)), plan.timesteps, wish.picture
        if picture is not None:
            picture = picture.expand(len(x), -1, -1)
        if not wish.rows or wish.negative is None:
            return Rows(x, t, words, picture, maps, wish.controls)
        if picture is not None:
            picture = torch.cat((picture, torch.zeros_like(picture[:1])))
        again = {name: torch.cat((each, each[:1])) for name, each in maps.items()}
        return Rows(
            torch.cat((x, x[:1])), torch.cat((t, t[:1])), joined([words, wish.negative]), picture, again, wish.controls
        )

    def _remember(self, seen: Grey | None, made: Tensor) -> None:
        """What came out, with the picture that it was made of."""
        if seen is None:
            self._greys, self._clean = [], None
            return
        on_their_way = self._greys if len(self._greys) == self.model.steps - 1 else [seen] * (self.model.steps - 1)
        *self._greys, oldest = seen, *on_their_way
        self._clean = made, oldest

    def _steadied(self, shot: Shot, share: float) -> Tensor:
        if not share or shot.grey is None or self._clean is None or self._clean[0].shape != shot.source.shape:
            return shot.source
        made, before = self._clean
        return steadied(shot.source, made, shot.grey, before, share)

    def show(self, picture: Frames) -> Frames:
        self._shown = picture
        return picture.copy()

    def save(self) -> bytes:
        if not self._started:
            raise RuntimeError("start the stream before saving it")
        kept: dict[str, Tensor] = {}
        if self._waiting is not None:
            kept |= {"waiting": self._waiting.contiguous(), "anchors": self._anchors.contiguous()}
        kept |= {f"map:{name}": each.contiguous() for name, each in self._maps.items()}
        if self._clean is not None:
            kept |= {
                "clean": self._clean[0].contiguous(),
                "greys": torch.from_numpy(np.stack([*self._greys, self._clean[1]])),
            }
        if self.model.reference is not None:
            known = self.model.reference.pictures
            kept |= {name: torch.from_numpy(known[name]) for name in pictures(self._look)}
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
        if model.reference is not None:
            model.reference.pictures.keep({name: kept[name].numpy() for name in pictures(look) if name in kept})
        self.start(look, seed, strength)
        self._size, self._filter.frame, self._filter.row = (height, width), frame, row
        self._shown, self._filter.made = (kept[n].numpy() if n in kept else None for n in ("shown", "made"))
        if waiting is not None and anchors is not None:
            self._waiting, self._anchors = (x.to(model.device, model.dtype) for x in (waiting, anchors))
            self._noise = noise(seed, (model.steps, *shape[1:])).to(self._waiting)
            self._maps = {n.removeprefix("map:"): x.to(self._waiting) for n, x in kept.items() if n.startswith("map:")}
        if "clean" in kept:
            *self._greys, oldest = kept["greys"].numpy()
            self._clean = kept["clean"].to(model.device, model.dtype), oldest


def noise(seed: int, shape: tuple[int, ...]) -> Tensor:
    """The stream's fixed noise, the same for a seed on every machine."""
    generator = np.random.Generator(np.random.Philox(seed))
    return torch.from_numpy(generator.standard_normal(shape, np.float32))
