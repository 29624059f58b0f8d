"""What of earlier frames is seen: a ring of keys and values, one sink frame and the most recent ones.

Shapes never change: the first frame fills every slot, so no mask is needed and one traced program serves all frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reverie.models.layers import KV


def frame_in_slot(frame: int, slot: int, recent: int) -> int:
    """Which frame's keys slot `slot` holds while frame `frame` is made; slot 0 is the sink.

    Frame n is written to slot 1 + n % recent after it was made; a slot never written holds frame 0.
    """
    if slot == 0:
        return 0
    last = frame - 1 - (frame - slot) % recent  # the largest n < frame with n % recent == slot - 1
    return max(last, 0)


class Ring:
    """Memory of one block in a live stream."""

    def __init__(self, recent: int) -> None:
        self.recent = recent
        self.frame = 0
        self.kv: KV | None = None  # (1, H, slots * S, K)

    def __call__(self, now: KV) -> KV:
        """The past as seen by this frame.  Several denoising steps of a frame see the same past."""
        if self.kv is None:
            self.kv = KV(*(x.repeat(1, 1, 1 + self.recent, 1) for x in now))
        self._now = now
        return self.kv

    def advance(self) -> None:
        """Write the frame that was just made."""
        assert self.kv is not None
        tokens = self._now.k.shape[2]
        if self.frame == 0:  # with several denoising steps, the last one's keys are kept
            for whole, part in zip(self.kv, self._now, strict=True):
                whole.copy_(part.repeat(1, 1, 1 + self.recent, 1))
        else:
            start = (1 + self.frame % self.recent) * tokens
            for whole, part in zip(self.kv, self._now, strict=True):
                whole[:, :, start : start + tokens].copy_(part)
        self.frame += 1


class Clip:
    """Memory of one block over whole clips at once: N = B * T pictures, every frame sees what a ring would hold."""

    def __init__(self, frames: int, recent: int) -> None:
        self.frames = frames
        self.held = torch.tensor([[frame_in_slot(t, s, recent) for s in range(1 + recent)] for t in range(frames)])

    def __call__(self, now: KV) -> KV:
        return KV(*map(self._gather, now))

    def _gather(self, x: Tensor) -> Tensor:
        clips = x.unflatten(0, (-1, self.frames))  # (B, T, H, S, K)
        past = clips[:, self.held]  # (B, T, slots, H, S, K)
        return past.transpose(2, 3).flatten(3, 4).flatten(0, 1)
