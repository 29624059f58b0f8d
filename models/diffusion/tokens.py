"""Per-token skip in an edit transformer: a token whose picture has not changed keeps its keys and values.

FLUX.2's transformer of diffusers is run for the tokens that are asked for alone; they attend to all, the others as they
were.  Source of the idea: FluxRT.  S tokens: words, picture, camera; A of them are made anew; H heads, E channels each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from diffusers.models.embeddings import apply_rotary_emb
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from reverie.models.stream import Frames

PIXELS = 16  # of a token's side
PARTS = 8  # so many sizes of A are possible, each of one shape
MOST = 0.6  # share of tokens from where on all are made


class Layer(NamedTuple):
    """Keys, rotated, and values of one block at one step, (1, S, H, E)."""

    keys: Tensor
    values: Tensor


class Seen(NamedTuple):
    """What attention is given: all blocks' layers, and which tokens are there now."""

    layers: list[Layer]
    active: Tensor  # (A,) places among S


def _attended(layer: Layer, active: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(1, A, H * E); the active tokens' keys and values are put in before."""
    layer.keys.index_copy_(1, active, key)
    layer.values.index_copy_(1, active, value)
    q, k, v = (x.transpose(1, 2) for x in (query, layer.keys, layer.values))
    out = F.scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).flatten(2, 3).type_as(query)


def _turned(x: Tensor, angles: Any) -> Tensor:
    made: Any = apply_rotary_emb(x, angles, sequence_dim=1)
    turned: Tensor = made
    return turned


class JointAttention:
    """Instead of diffusers' Flux2AttnProcessor."""

    def __init__(self, index: int) -> None:
        """Args: index: of the block's layer in `Seen`."""
        self.index = index

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor, attention_mask: Any = None,
        image_rotary_emb: Any = None, seen: Any = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        heads = lambda x: x.unflatten(-1, (-1, attn.head_dim))
        words = encoder_hidden_states
        query, key, value = (heads(to(hidden_states)) for to in (attn.to_q, attn.to_k, attn.to_v))
        more = [heads(to(words)) for to in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)]
        query = torch.cat((attn.norm_added_q(more[0]), attn.norm_q(query)), 1)
        key = torch.cat((attn.norm_added_k(more[1]), attn.norm_k(key)), 1)
        query, key = _turned(query, image_rotary_emb), _turned(key, image_rotary_emb)
        out = _attended(seen.layers[self.index], seen.active, query, key, torch.cat((more[2], value), 1))
        said, shown = out.split((words.shape[1], hidden_states.shape[1]), 1)
        return attn.to_out[1](attn.to_out[0](shown)), attn.to_add_out(said)


class ParallelAttention:
    """Instead of diffusers' Flux2ParallelSelfAttnProcessor."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        attention_mask: Any = None,
        image_rotary_emb: Any = None,
        seen: Any = None,
    ) -> Tensor:
        both = attn.to_qkv_mlp_proj(hidden_states)
        qkv, mlp = both.split((3 * attn.inner_dim, both.shape[-1] - 3 * attn.inner_dim), -1)
        query, key, value = (x.unflatten(-1, (-1, attn.head_dim)) for x in qkv.chunk(3, -1))
        query, key = attn.norm_q(query), attn.norm_k(key)
        query, key = _turned(query, image_rotary_emb), _turned(key, image_rotary_emb)
        out = _attended(seen.layers[self.index], seen.active, query, key, value)
        answer: Tensor = attn.to_out(torch.cat((out, attn.mlp_act_fn(mlp)), -1))
        return answer


def adapt(transformer: Any) -> None:
    """Gives a Flux2Transformer2DModel these."""
    for n, block in enumerate(transformer.transformer_blocks):
        block.attn.set_processor(JointAttention(n))
    for n, block in enumerate(transformer.single_transformer_blocks, len(transformer.transformer_blocks)):
        block.attn.set_processor(ParallelAttention(n))


def empty(config: Any, tokens: int, like: Tensor) -> list[Layer]:
    """Layers of one step, of which nothing is made yet."""
    shape = 1, tokens, config.num_attention_heads, config.attention_head_dim
    return [
        Layer(like.new_zeros(shape), like.new_zeros(shape)) for _ in range(config.num_layers + config.num_single_layers)
    ]


def changed(frame: Frames, made: Frames, levels: float) -> NDArray[np.int64]:
    """Places of tokens, row by row, to make anew; all of them where much has changed, none where nothing has.

    Args:
        frame, made: (H, W, 3), now and as each token was when it was made.
        levels: of 255, by which a place must differ; 0 makes all.
    """
    most = apart(frame, made, PIXELS)
    if levels <= 0:
        return np.arange(most.size)
    return chosen(most, cv2.dilate((most > levels).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool))


def apart(frame: Frames, other: Frames, side: int) -> NDArray[np.float32]:
    """How much each square of `side` pixels differs at most, (H / side, W / side), in levels of 255."""
    height, width = frame.shape[0] // side, frame.shape[1] // side
    levels = cv2.absdiff(cv2.blur(frame, (3, 3)), cv2.blur(other, (3, 3))).max(2)
    return levels.reshape(height, side, width, side).max((1, 3)).astype(np.float32)


def chosen(most: NDArray[np.float32], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Places that are wanted, and those that differ most beside them, up to one of few counts.

    Args: most, wanted: (Y, X).
    """
    count = most.size
    if not wanted.any():
        return np.arange(0)
    if wanted.mean() > MOST:
        return np.arange(count)
    whole = -(-count // PARTS)
    kept = min(count, -(-int(wanted.sum()) // whole) * whole)
    order = np.lexsort((np.arange(count), -most.reshape(-1), ~wanted.reshape(-1)))
    return np.sort(order[:kept])
