"""Real CLIP or SigLIP weights, read by transformers from a local folder or the hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from reverie.models.search.looks import named
from reverie.models.search.space import F32, Picture, Seen, unit

FAMILIES = ("clip", "siglip", "siglip2")


class Contrastive:
    """Both encoders of one model."""

    def __init__(self, source: str) -> None:
        """Raises: FileNotFoundError with what to install; ValueError if it is no CLIP or SigLIP."""
        try:
            from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer
        except ImportError:
            raise FileNotFoundError("CLIP and SigLIP need transformers: pip install 'reverie[diffusion]'") from None
        try:
            family = AutoConfig.from_pretrained(source).model_type
            if family not in FAMILIES:
                raise ValueError(f"it is a {family}")
            self._model: Any = AutoModel.from_pretrained(source).eval()
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source)
            self._processor: Any = AutoImageProcessor.from_pretrained(source)
        except (OSError, ValueError, KeyError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ValueError(f"{source} cannot be read as CLIP or SigLIP: {first}") from None
        self._padding = "max_length" if family.startswith("siglip") else True  # SigLIP was trained so
        self.width = int(self.words(["a"]).shape[1])
        self.name = f"{family}-{self.width}-{source.rstrip('/').rpartition('/')[2]}"

    @torch.inference_mode()
    def words(self, texts: Sequence[str]) -> F32:
        if not texts:
            return np.zeros((0, self.width), np.float32)
        tokens = self._tokenizer(list(texts), padding=self._padding, truncation=True, return_tensors="pt")
        return unit(_tensor(self._model.get_text_features(**tokens)))

    def looks(self, text: str) -> list[str]:
        return named(text)

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Picture]) -> list[Seen]:
        if not pictures:
            return []
        inputs = self._processor(images=list(pictures), return_tensors="pt", input_data_format="channels_last")
        return [Seen(row) for row in unit(_tensor(self._model.get_image_features(**inputs)))]


def _tensor(made: Any) -> F32:
    """Versions of transformers return the features themselves, or an object that holds them."""
    tensor = made if isinstance(made, torch.Tensor) else made.pooler_output
    return np.asarray(tensor.float().numpy())
