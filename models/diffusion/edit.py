"""An edit model as a live stream: each frame is what the words ask, of the camera's picture.  N tokens of a frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from reverie.models.blend import Blend, blend, styled
from reverie.models.diffusion.guidance import flow
from reverie.models.diffusion.tokens import PIXELS, Layer, Seen, changed, empty
from reverie.models.diffusion.told import Heard
from reverie.models.picture import named as pictures
from reverie.models.stream import Frames, check, check_start

if TYPE_CHECKING:
    from reverie.models.diffusion.edit_model import EditModel

Ask = Callable[[Tensor, float, Tensor, list[Layer]], Tensor]  # noisy tokens (1, A, C), their noise, words, what is kept
REFRESH = 100  # frames, after which all tokens are made, so that nothing old stays


class EditStream:
    """A live stream: a look, fixed noise, and what each token was made of."""

    _heard: Heard | None  # the look; None without one
    _made: Frames | None  # the picture that each token was made of; None: all are to be made
    _shown: Frames
    _age: int  # frames since all were made
    _steps: list[list[Layer]]  # keys and values of each denoising step, and of the first without the words if guided
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
        self._heard = self.model.wish(prompts) if shown else None
        self._forget()

    def step(self, frames: Frames) -> Frames:
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frames)
        if self._heard is None or not len(frames):
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
            self._make(frame, active, whole=len(active) == count)
        return self._shown.copy()

    def _begin(self, frame: Frames, count: int) -> None:
        model, heard = self.model, self._heard
        assert heard is not None
        words = heard.words
        self._age, self._made = 0, frame.copy()
        tokens = words.shape[1] + 2 * count + (0 if heard.picture is None else heard.picture.shape[1])
        runs = model.steps + (heard.away is not None)
        self._steps = [empty(model.transformer.config, tokens, words) for _ in range(runs)]
        self._latents = words.new_zeros(1, count, model.transformer.config.in_channels)

    def _make(self, frame: Frames, active: NDArray[np.int64], whole: bool) -> None:
        """The tokens at these places anew, through all steps.  Args: whole: with words and reference pictures."""
        model, heard = self.model, self._heard
        assert heard is not None and self._made is not None
        model.wear(heard.loras)
        rows, columns = frame.shape[0] // PIXELS, frame.shape[1] // PIXELS
        camera = model.encode(frame)
        place = torch.from_numpy(active).to(camera.device)
        asked = self._asker(place, camera[:, place], rows, columns, whole)
        sigmas = model.sigmas(rows * columns, self._share)
        noise = model.fixed(self._seed, camera)
        x = (1 - sigmas[0]) * camera[:, place] + sigmas[0] * noise[:, place]
        anchor = x
        for step, (now, after) in enumerate(zip(sigmas, [*sigmas[1:], 0.0], strict=True)):
            velocity = asked(x, now, heard.words, self._steps[step])
            if heard.away is not None:
                if step == 0:
                    anchor = x - now * asked(x, now, heard.away.words, self._steps[-1])
                velocity = flow(x, now, velocity, anchor, heard.away.scale)
            x = x + (after - now) * velocity
        self._latents[:, place] = x
        self._remember(frame, active)
        self._shown = model.decode(self._latents, rows, columns)

    def _asker(self, place: Tensor, camera: Tensor, rows: int, columns: int, whole: bool) -> Ask:
        """What asks the network for velocities of the tokens at these places (A,)."""
        model, heard = self.model, self._heard
        assert heard is not None
        (made, seen), length, count = model.ids(rows, columns), heard.words.shape[1], rows * columns
        at, where, beside = [length + place, length + count + place], [made[place], seen[place]], [camera]
        if whole:
            at.insert(0, torch.arange(length, device=place.device))
        if whole and heard.picture is not None:
            at.append(length + 2 * count + torch.arange(heard.picture.shape[1], device=place.device))
            where.append(model.picture_ids())
            beside.append(heard.picture)
        places, ids = torch.cat(at), torch.cat(where)

        def ask(x: Tensor, sigma: float, words: Tensor, layers: list[Layer]) -> Tensor:
            said = words if whole else words[:, :0]
            return model.predict(torch.cat((x, *beside), 1), sigma, said, ids, Seen(layers, places))[:, : len(place)]

        return ask

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
        if self.model.pictures is not None:
            kept |= {name: torch.from_numpy(self.model.pictures[name]) for name in pictures(self.look)}
        kept["facts"] = torch.frombuffer(bytearray(json.dumps(facts).encode()), dtype=torch.uint8)
        return save_tensors({name: x.cpu().contiguous() for name, x in kept.items()}, {"model": self.model.name})

    def load(self, state: bytes) -> None:
        try:
            kept = load_tensors(state)
            facts = json.loads(kept["facts"].numpy().tobytes())
            look = blend((str(p), float(w)) for p, w in facts["look"])
            if self.model.pictures is not None:
                self.model.pictures.keep({name: kept[name].numpy() for name in pictures(look) if name in kept})
            self.start(look, int(facts["seed"]), float(facts["strength"]))
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
