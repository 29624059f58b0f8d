"""What models have in common that are told their look by words alone."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reverie.models.blend import Blend
from reverie.models.diffusion.ask import read
from reverie.models.diffusion.smaller import Smaller
from reverie.models.diffusion.words import Words, mix
from reverie.models.diffusion.writer import Writer
from reverie.models.prompt import normal
from reverie.models.stream import Frames, StreamModel, one_by_one

PROMPTS_KEPT = 64


class Told(ABC):
    """Words of prompts, kept; streams that step one by one; no pictures."""

    def __init__(self, pipeline: Any, name: str, llm: str | None) -> None:
        """Args: pipeline: of diffusers, with a text encoder, a transformer and an autoencoder."""
        self.name, self._pipeline, self._writer = name, pipeline, Writer(llm)
        for module in (pipeline.transformer, pipeline.vae, pipeline.text_encoder):
            module.requires_grad_(False).eval()
        self.smaller = Smaller(name)
        self._words: OrderedDict[str, Tensor] = OrderedDict()
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
            self.mixed(((normal(prompt), 1.0),))

    def picture(self, image: NDArray[np.uint8]) -> str:
        raise ValueError(f"{self.name} takes no reference pictures")

    def enhance(self, prompt: str) -> Iterator[str]:
        return self._writer.enhance(prompt)

    @property
    def limited(self) -> str:
        return self.smaller.said

    def counts(self) -> dict[str, int]:
        return self.smaller.counts()

    def mixed(self, look: Blend) -> Tensor:
        """(1, L, D) of a look without the camera.  Raises: ValueError if it asks for more than words."""
        asked = [(read(prompt), share) for prompt, share in look]
        if any(ask.loras or ask.controls or ask.negative for ask, _ in asked):
            raise ValueError(f"{self.name} takes words alone: no LoRAs, controls or negative prompts")
        return mix([(Words(self.words(ask.words)), share) for ask, share in asked]).tokens

    @torch.inference_mode()
    def words(self, prompt: str) -> Tensor:
        """(1, L, D); of the last prompts it is kept."""
        key = normal(prompt)
        with self._lock:
            if key not in self._words:
                self._words[key] = self._read(key)
                if len(self._words) > PROMPTS_KEPT:
                    self._words.popitem(last=False)
            self._words.move_to_end(key)
            return self._words[key]
