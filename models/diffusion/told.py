"""What models have in common that are told their look by words and LoRAs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reverie.models.blend import Blend
from reverie.models.diffusion import ask
from reverie.models.diffusion.ask import Mixed, Named
from reverie.models.diffusion.lora import Loras
from reverie.models.diffusion.smaller import Smaller
from reverie.models.diffusion.words import Words, mix
from reverie.models.diffusion.writer import Writer
from reverie.models.picture import Pictures
from reverie.models.prompt import normal
from reverie.models.stream import Frames, StreamModel, one_by_one

PROMPTS_KEPT = 64


class Away(NamedTuple):
    """What guidance leads away from."""

    words: Tensor  # (1, L, D) of the negative prompt; of none, as in diffusers, if a look names none
    scale: float  # above 1

    def like(self, other: Away | None) -> bool:
        return other is not None and self.words is other.words and self.scale == other.scale


class Heard(NamedTuple):
    """A look as the network is told it."""

    words: Tensor  # (1, L, D); another tensor for other LoRAs
    loras: Named = ()
    away: Away | None = None
    picture: Tensor | None = None  # (1, R, C) of reference pictures


class Told(ABC):
    """Words of prompts, kept; streams that step one by one."""

    guides = False  # whether there are negative prompts and guidance
    pictures: Pictures | None = None  # where the model takes them

    def __init__(self, pipeline: Any, path: Path, llm: str | None) -> None:
        """Args: pipeline: of diffusers, with a text encoder, a transformer and an autoencoder.  path: of its folder."""
        self.name, self._pipeline, self._writer = path.name, pipeline, Writer(llm)
        self._loras = Loras(path, pipeline)
        for module in (pipeline.transformer, pipeline.vae, pipeline.text_encoder):
            module.requires_grad_(False).eval()
        self.smaller = Smaller(self.name)
        self._words: OrderedDict[tuple[str, Named], Tensor] = OrderedDict()
        self._lock = threading.Lock()

    @abstractmethod
    def _read(self, prompt: str) -> Tensor:
        """(1, L, D) of a prompt."""

    def step_many(
        self, streams: Sequence[StreamModel], frames: Sequence[Frames]
    ) -> Iterator[tuple[int, Frames | Exception]]:
        return one_by_one(streams, frames)

    def prepare(self, prompt: str) -> None:
        if prompt.strip():
            self.wish(((normal(prompt), 1.0),))

    def picture(self, image: NDArray[np.uint8]) -> str:
        if self.pictures is None:
            raise ValueError(f"{self.name} takes no reference pictures; say in words what they show")
        return self.pictures.take(image)

    def enhance(self, prompt: str) -> Iterator[str]:
        return self._writer.enhance(prompt)

    @property
    def limited(self) -> str:
        return self.smaller.said

    def counts(self) -> dict[str, int]:
        return self.smaller.counts()

    def wish(self, look: Blend) -> Heard:
        """Args: look: without the camera.  Raises: ValueError if it asks for what is not there."""
        asked = ask.mixed(look)
        self._check(asked)
        self._loras.check(asked.loras)
        said = self._mixed([(text.words, share) for text, share in asked.texts] or [("", 1.0)], asked.loras)
        away = None
        if asked.guidance != 1:
            negative = self._mixed([(text.negative, share) for text, share in asked.texts], asked.loras)
            away = Away(negative, asked.guidance)
        return Heard(said, asked.loras, away, self._seen(asked.pictures) if asked.pictures else None)

    def _mixed(self, prompts: Sequence[tuple[str, float]], loras: Named) -> Tensor:
        return mix([(Words(self.words(prompt, loras)), share) for prompt, share in prompts]).tokens

    def _seen(self, pictures: Named) -> Tensor:
        """(1, R, C), between several by their shares; one picture is always seen as it is."""
        assert self.pictures is not None
        whole = sum(share for _, share in pictures)
        tokens = sum(self.pictures[name] * np.float32(share / whole) for name, share in pictures)
        like = next(self._pipeline.transformer.parameters())
        return torch.from_numpy(np.asarray(tokens))[None].to(like)

    def _check(self, asked: Mixed) -> None:
        """Raises: ValueError that names what this model has not."""
        wanted = {
            "reference pictures": asked.pictures and self.pictures is None, "<control:...>": asked.controls,
            "negative prompts (--no)": not self.guides and any(text.negative for text, _ in asked.texts),
            "--guidance": not self.guides and asked.guidance != 1, "--steady": asked.steady,
        }  # fmt: skip
        if missing := [name for name, there in wanted.items() if there]:
            raise ValueError(f"{self.name} takes no {' and no '.join(missing)}")

    def wear(self, loras: Named) -> None:
        """From now on, these on the transformer; by the thread alone that steps the streams."""
        self._loras.wear("transformer", loras)

    @torch.inference_mode()
    def words(self, prompt: str, loras: Named = ()) -> Tensor:
        """(1, L, D); of the last prompts it is kept.  With LoRAs it is the same once more, as a tensor of its own."""
        key = normal(prompt), loras
        with self._lock:
            if key not in self._words:
                plain = self._words.get((key[0], ()))
                self._words[key] = self._read(key[0]) if plain is None else plain.clone()
                if len(self._words) > PROMPTS_KEPT:
                    self._words.popitem(last=False)
            self._words.move_to_end(key)
            return self._words[key]
