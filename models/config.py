"""What a `nano`-shaped network is made of; complete or an error, so there are no defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of the network.  All widths are multiples of 32, so that int8 tiles are full."""

    widths: tuple[int, int, int, int]  # channels at 1/2, 1/4, 1/8, 1/16 of the picture
    blocks: int  # transformer blocks, and residual blocks, at 1/16
    head_width: int  # K; heads = widths[3] // head_width
    mlp_ratio: int
    sink: int  # frames kept for ever: the first ones shown
    recent: int  # frames kept in the ring after them
    style_tokens: int
    cond: int  # width of the condition and of a style token
    llm_width: int
    llm_layers: tuple[int, ...]  # hidden states that the connector reads, concatenated

    def __post_init__(self) -> None:
        if self.widths[3] % self.head_width:
            raise ValueError(f"width {self.widths[3]} is not a multiple of the head width {self.head_width}")
        if self.sink != 1 or self.recent < 1:
            raise ValueError(
                f"the ring needs one sink and at least one recent frame, got {self.sink} and {self.recent}"
            )

    @property
    def heads(self) -> int:
        return self.widths[3] // self.head_width

    @property
    def slots(self) -> int:
        """Frames in the KV ring."""
        return self.sink + self.recent


NANO = Config(
    widths=(32, 64, 128, 192),
    blocks=2,
    head_width=64,
    mlp_ratio=3,
    sink=1,
    recent=2,
    style_tokens=16,
    cond=256,
    llm_width=576,
    llm_layers=(1, 9),
)
