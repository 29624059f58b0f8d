"""The network of `nano`: connector, encoder, video model, decoder.

N pictures, B streams, T frames, L prompt tokens, S tokens at 1/16, D width.  Pictures are (N, 3, Y, X) in [-1, 1].
One causal diffusion step: the source is encoded once, the noised target x_t enters at 1/8, the answer is x0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reverie.models.config import Config
from reverie.models.layers import KV, Block, Down, Film, Modulation, Recall, Res, Up, act, rope_table


class Style(NamedTuple):
    """All that a prompt (and the timestep) says to the network; constant while both last."""

    films: tuple[Film, ...]
    modulations: tuple[tuple[Modulation, Modulation], ...]  # (attention, mlp) per block
    tokens: tuple[KV, ...]  # style tokens as keys and values, per block
    colour: Tensor  # (N, 3, 4): matrix and offset on the source

    def repeat(self, times: int) -> Style:
        """Each stream's style for each of its `times` frames: N = B * T."""
        r = lambda x: x.repeat_interleave(times, 0)
        return Style(
            tuple(Film(*map(r, f)) for f in self.films),
            tuple((Modulation(*map(r, a)), Modulation(*map(r, m))) for a, m in self.modulations),
            tuple(KV(*map(r, kv)) for kv in self.tokens),
            r(self.colour),
        )


class Features(NamedTuple):
    """What the encoder saw."""

    half: Tensor  # (N, 32, Y/2, X/2)
    quarter: Tensor  # (N, 64, Y/4, X/4)
    eighth: Tensor  # (N, 128, Y/8, X/8)
    scene: Tensor  # (N, D, Y/16, X/16): the scene tokens


class Connector(nn.Module):
    """LLM states to style tokens: learned queries read the prompt once, in one attention and one MLP."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, cond = config.llm_width * len(config.llm_layers), config.cond
        self.read = nn.Linear(width, 2 * cond)
        self.queries = nn.Parameter(torch.randn(config.style_tokens, cond))
        self.up = nn.Linear(cond, 2 * cond)
        self.down = nn.Linear(2 * cond, cond)
        self.pool = nn.Linear(config.style_tokens * cond, cond)
        self.time = nn.Sequential(nn.Linear(32, cond), nn.SiLU(), nn.Linear(cond, cond))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (B, L, llm) and mask (B, L, True where a token is) to style tokens (B, S, cond)."""
        states = F.layer_norm(states, states.shape[-1:])
        k, v = self.read(states).unflatten(-1, (-1, 64)).transpose(1, 2).chunk(2, 1)
        q = self.queries.unflatten(-1, (-1, 64)).transpose(0, 1).expand(len(states), -1, -1, -1)
        x = F.scaled_dot_product_attention(q, F.rms_norm(k, k.shape[-1:]), v, attn_mask=mask[:, None, None])
        x = x.transpose(1, 2).flatten(2)
        return F.rms_norm(x + self.down(F.silu(self.up(F.rms_norm(x, x.shape[-1:])))), x.shape[-1:])

    def condition(self, tokens: Tensor, t: Tensor) -> Tensor:
        """Style tokens (B, S, cond) and timesteps (B,) in [0, 1], 1 is pure noise, to (B, cond)."""
        angle = t[:, None] * torch.exp(torch.arange(16, device=t.device) * (math.log(100) / 15))
        c = unit(self.pool(tokens.flatten(1)))
        return unit(c + 0.3 * self.time(torch.cat((angle.sin(), angle.cos()), 1)))


class Encoder(nn.Module):
    """Pixels to features; knows nothing of the prompt, so its scene tokens can also be searched."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = config.widths
        self.stem = nn.Conv2d(12, half, 3, padding=1)
        self.to_quarter, self.at_quarter = Down(half, quarter), Res(quarter)
        self.to_eighth, self.at_eighth = Down(quarter, eighth), Res(eighth)
        self.to_scene = Down(eighth, sixteenth)

    def forward(self, source: Tensor) -> Features:
        x = F.pixel_unshuffle(source, 2).contiguous(memory_format=torch.channels_last)
        half = act(self.stem(x))
        quarter = self.at_quarter(self.to_quarter(half))
        eighth = self.at_eighth(self.to_eighth(quarter))
        return Features(half, quarter, eighth, self.to_scene(eighth))


class Network(nn.Module):
    """All of `nano` but the LLM."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        half, quarter, eighth, sixteenth = config.widths
        self.connector = Connector(config)
        self.encoder = Encoder(config)
        self.patch = nn.Conv2d(192, eighth, 1)  # x_t, unshuffled by 8
        self.before = Res(eighth)
        self.down = Down(eighth, sixteenth)
        self.blocks = nn.ModuleList(
            Block(sixteenth, config.head_width, config.mlp_ratio, config.cond) for _ in range(config.blocks)
        )
        self.mixers = nn.ModuleList(Res(sixteenth) for _ in range(config.blocks))
        self.up_eighth, self.after = Up(sixteenth, eighth), Res(eighth)
        self.up_quarter, self.at_quarter = Up(eighth, quarter), Res(quarter)
        self.up_half, self.at_half = Up(quarter, half), Res(half)
        self.head = nn.Conv2d(half, 12, 3, padding=1)
        self.film_widths = [eighth, *[sixteenth] * config.blocks, eighth, quarter, half, half]
        self.film = nn.Linear(config.cond, 2 * sum(self.film_widths))
        self.modulation = nn.Linear(config.cond, 6 * sixteenth * config.blocks)
        self.colour = nn.Linear(config.cond, 12)
        self._initialise()

    def _initialise(self) -> None:
        """A strong FiLM and a quiet x_t: otherwise styles separate too slowly (DESIGN.md, training)."""
        nn.init.normal_(self.film.weight, std=0.25 / math.sqrt(self.config.cond))
        nn.init.zeros_(self.film.bias)
        nn.init.normal_(self.modulation.weight, std=0.02)
        gates = torch.tensor([0.0, 0.0, 0.3]).repeat_interleave(self.config.widths[3])
        nn.init.zeros_(self.colour.weight)
        with torch.no_grad():
            self.modulation.bias.copy_(gates.repeat(2 * self.config.blocks))
            self.colour.bias.copy_(torch.cat((torch.eye(3), torch.zeros(3, 1)), 1).flatten())
            self.patch.weight.mul_(0.2)

    def style(self, tokens: Tensor, t: Tensor) -> Style:
        """Everything that style tokens (B, S, cond) and timesteps (B,) fix for the frames to come."""
        c = self.connector.condition(tokens, t)
        pairs = self.film(c)[..., None, None].split([2 * w for w in self.film_widths], 1)
        parts = self.modulation(c)[:, None].chunk(6 * self.config.blocks, -1)
        modulations = [
            (Modulation(*parts[i : i + 3]), Modulation(*parts[i + 3 : i + 6])) for i in range(0, len(parts), 6)
        ]
        return Style(
            tuple(Film(*pair.chunk(2, 1)) for pair in pairs),
            tuple(modulations),
            tuple(block.style_kv(tokens) for block in self.blocks),  # type: ignore[operator]
            self.colour(c).view(-1, 3, 4),
        )

    def forward(self, source: Tensor, x_t: Tensor, style: Style, recall: Sequence[Recall]) -> Tensor:
        """The clean picture (N, 3, Y, X), not clamped, for sources and noised targets of the same shape.

        Args:
            recall: per block, where its keys and values of earlier frames come from.
        """
        return self.decode(source, self.encoder(source), x_t, style, recall)

    def decode(self, source: Tensor, seen: Features, x_t: Tensor, style: Style, recall: Sequence[Recall]) -> Tensor:
        """One denoising step from features that the encoder made; call it again with another x_t for more steps."""
        films = iter(style.films)
        noise = F.pixel_unshuffle(x_t, 8).contiguous(memory_format=torch.channels_last)
        eighth = self.before(seen.eighth + self.patch(noise), next(films))
        x = self.down(eighth) + seen.scene
        rows, columns = x.shape[2:]
        rope = rope_table(rows, columns, self.config.head_width)
        for block, mixer, (attn, mlp), tokens, past in zip(
            self.blocks, self.mixers, style.modulations, style.tokens, recall, strict=True
        ):
            flat = block(x.flatten(2).transpose(1, 2), attn, mlp, tokens, rope, past)
            x = flat.transpose(1, 2).unflatten(2, (rows, columns)).contiguous(memory_format=torch.channels_last)
            x = mixer(x, next(films))
        x = self.after(self.up_eighth(x, eighth), next(films))
        x = self.at_quarter(self.up_quarter(x, seen.quarter), next(films))
        x = self.at_half(self.up_half(x, seen.half), next(films))
        residual = F.pixel_shuffle(self.head(act(next(films)(x))), 2)
        matrix, offset = style.colour[:, :, :3].float(), style.colour[:, :, 3:, None].float()
        return torch.einsum("nij,njyx->niyx", matrix, source.float()) + offset + residual.float()


def unit(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


def channels_last(network: Network) -> Network:
    """The same network with its 4-D weights in NHWC order, which the convolutions run fastest in."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
