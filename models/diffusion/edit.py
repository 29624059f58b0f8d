"""An edit model as a live stream: each frame is what the words ask, of the camera's picture.  N tokens of a frame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from reverie.models.blend import Blend, blend, styled
from reverie.models.diffusion.ask import Named
from reverie.models.diffusion.tokens import PIXELS, Layer, Seen, changed, empty
from reverie.models.stream import Frames, check, check_start

if TYPE_CHECKING:
    from reverie.models.diffusion.edit_model import EditModel

REFRESH = 100  # frames, after which all tokens are made, so that nothing old stays


class EditStream:
    """A live stream: a look, fixed noise, and what each token was made of."""

    _words: Tensor | None  # of the look; None without one
    _loras: Named
    _made: Frames | None  # the picture that each token was made of; None: all are to be made
    _shown: Frames
    _age: int  # frames since all were made
    _steps: list[list[Layer]]  # keys and values of each denoising step
    _latents: Tensor  # (1, N, C), clean

    def __init__(self, model: EditModel) -> None:
        self.model = model
        self._started = False
        self._tokens, self._made_tokens = 0, 0

    @property
    def work_saved(self) -> float:
        return 1 - self._made_tokens / self._tokens if self._tokens else 0.0

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        check_start(seed, strength)
        self._seed, self._strength, self._started = seed, strength, True
        self.wear(blend(look))

    def wear(self, look: Blend) -> None:
        if not self._started:
            raise RuntimeError("start the stream before it changes its look")
        prompts, share = styled(look)
        self.look, self._share = look, self._strength * share
        shown = bool(prompts) and self._strength > 0
        self._words, self._loras = self.model.wish(prompts) if shown else (None, ())
        self._forget()

    def step(self, frames: Frames) -> Frames:
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frames)
        if self._words is None or not len(frames):
            return frames.copy()
        paint = self.model.smaller.paint
        return np.concatenate(
            [paint(frame[None], lambda small: self._one(small[0])[None], self._forget) for frame in frames]
        )

    def _forget(self) -> None:
        """All tokens are to be made."""
        self._made = None

    @torch.inference_mode()
    def _one(self, frame: Frames) -> Frames:
        count = (frame.shape[0] // PIXELS) * (frame.shape[1] // PIXELS)
        fresh = self._made is None or self._made.shape != frame.shape or self._age >= REFRESH
        if fresh:
            self._begin(frame, count)
            active = np.arange(count)
        else:
            assert self._made is not None
            active = changed(frame, self._made, self.model.skip)
        self._age += 1
        self._tokens += count
        self._made_tokens += len(active)
        if len(active):
            self._make(frame, active, with_words=len(active) == count)
        return self._shown.copy()

    def _begin(self, frame: Frames, count: int) -> None:
        model, words = self.model, self._words
        assert words is not None
        self._age, self._made = 0, frame.copy()
        self._steps = [empty(model.transformer.config, words.shape[1] + 2 * count, words) for _ in range(model.steps)]
        self._latents = words.new_zeros(1, count, model.transformer.config.in_channels)

    def _make(self, frame: Frames, active: NDArray[np.int64], with_words: bool) -> None:
        """The tokens at these places anew, through all steps."""
        model, words = self.model, self._words
        assert words is not None and self._made is not None
        model.wear(self._loras)
        rows, columns = frame.shape[0] // PIXELS, frame.shape[1] // PIXELS
        camera = model.encode(frame)
        place = torch.from_numpy(active).to(camera.device)
        ids = model.ids(rows, columns)
        said = words if with_words else words[:, :0]
        at = torch.cat((place, rows * columns + place)) + words.shape[1]
        if with_words:
            at = torch.cat((torch.arange(words.shape[1], device=at.device), at))
        sigmas = model.sigmas(rows * columns, self._share)
        noise = model.fixed(self._seed, camera)
        x = (1 - sigmas[0]) * camera[:, place] + sigmas[0] * noise[:, place]
        where = torch.cat([ids[0][place], ids[1][place]])
        for layers, now, after in zip(self._steps, sigmas, [*sigmas[1:], 0.0], strict=True):
            velocity = model.predict(torch.cat((x, camera[:, place]), 1), now, said, where, Seen(layers, at))
            x = x + (after - now) * velocity[:, : len(active)]
        self._latents[:, place] = x
        self._remember(frame, active)
        self._shown = model.decode(self._latents, rows, columns)

    def _remember(self, frame: Frames, active: NDArray[np.int64]) -> None:
        assert self._made is not None
        for token in active:
            y, x = (side * PIXELS for side in divmod(int(token), frame.shape[1] // PIXELS))
            self._made[y : y + PIXELS, x : x + PIXELS] = frame[y : y + PIXELS, x : x + PIXELS]

    def save(self) -> bytes:
        if not self._started:
            raise RuntimeError("start the stream before saving it")
        facts = {"look": self.look, "seed": self._seed, "strength": self._strength}
        kept: dict[str, Tensor] = {}
        if self._made is not None:
            facts["age"] = self._age
            kept = {"made": torch.from_numpy(self._made), "shown": torch.from_numpy(self._shown), "x": self._latents}
            for s, layers in enumerate(self._steps):
                for n, layer in enumerate(layers):
                    kept |= {f"keys.{s}.{n}": layer.keys, f"values.{s}.{n}": layer.values}
        kept["facts"] = torch.frombuffer(bytearray(json.dumps(facts).encode()), dtype=torch.uint8)
        return save_tensors({name: x.cpu().contiguous() for name, x in kept.items()}, {"model": self.model.name})

    def load(self, state: bytes) -> None:
        try:
            kept = load_tensors(state)
            facts = json.loads(kept["facts"].numpy().tobytes())
            self.start(
                blend((str(p), float(w)) for p, w in facts["look"]), int(facts["seed"]), float(facts["strength"])
            )
            if "age" in facts:
                frame = kept["made"].numpy()
                self._begin(frame, (frame.shape[0] // PIXELS) * (frame.shape[1] // PIXELS))
                self._age, self._shown = int(facts["age"]), kept["shown"].numpy()
                self._latents.copy_(kept["x"])
                for s, layers in enumerate(self._steps):
                    for n, layer in enumerate(layers):
                        layer.keys.copy_(kept[f"keys.{s}.{n}"])
                        layer.values.copy_(kept[f"values.{s}.{n}"])
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"this is not a saved stream of {self.model.name}: {error}") from None
