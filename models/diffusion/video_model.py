"""The modules of a video pipeline, shared by its streams: Wan with Self-Forcing's or LongLive's weights, and Lucy-Edit.

Lucy-Edit is Wan 2.2 with the camera's latents beside the noisy ones. It was trained on whole clips; here the ring is
its past.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from reverie.models.diffusion.causal import Causal
from reverie.models.diffusion.ring import Ring
from reverie.models.diffusion.sizes import LATENTS, SLOTS, WORDS
from reverie.models.diffusion.smaller import resized
from reverie.models.diffusion.streaming import Codec, Features
from reverie.models.diffusion.told import Told
from reverie.models.diffusion.video import VideoStream
from reverie.models.stream import Frames

STEPS = 2  # denoising steps of a chunk; with the ring they suffice for video to video
EDIT_STEPS = 4  # of a model that edits: it begins with noise alone


class VideoModel(Told):
    """Text encoder, transformer and autoencoder of a diffusers WanPipeline."""

    guides = True

    def __init__(self, pipeline: Any, path: Path, llm: str | None = None, skip: float = 0.0) -> None:
        """Args: skip: a place that differs less (levels of 255) for a whole chunk is not made again; 0 makes all."""
        super().__init__(pipeline, path, llm)
        self.codec, self.net = Codec(pipeline.vae), Causal(pipeline.transformer)
        self.dtype, self.device = pipeline.transformer.dtype, str(pipeline.transformer.device)
        self.skip = skip
        self.edits = self.net.config.in_channels == 2 * self.codec.channels  # it sees the camera beside the noise
        self.steps = EDIT_STEPS if self.edits else STEPS
        self.side = self.codec.factor * self.net.config.patch_size[1]  # pixels of a token's

    def stream(self) -> VideoStream:
        return VideoStream(self)

    def _read(self, prompt: str) -> Tensor:
        """As WanPipeline.encode_prompt, zeros after the last word; that of Lucy-Edit cannot do without ftfy."""
        pipeline = self._pipeline
        found = pipeline.tokenizer(
            [prompt], padding="max_length", max_length=WORDS, truncation=True, return_attention_mask=True,
            return_tensors="pt",
        ).to(self.device)  # fmt: skip
        said = pipeline.text_encoder(found.input_ids, found.attention_mask).last_hidden_state
        answer: Tensor = (said * found.attention_mask[..., None]).to(self.dtype)
        return answer

    def ring(self, height: int, width: int) -> Ring:
        """An empty past for pictures of a size."""
        sides = (side // self.codec.factor for side in self._inner(height, width))
        like = torch.empty(0, dtype=self.dtype, device=self.device)
        return Ring.of(self.net.config, SLOTS, self.net.tokens(LATENTS, *sides), like)

    def _inner(self, height: int, width: int) -> tuple[int, int]:
        """The size that the model paints, for pictures of a size."""
        rows, columns = (max(1, round(side / self.side)) * self.side for side in (height, width))
        return rows, columns

    def seen(self, frames: Frames) -> Frames:
        """(T, H, W, 3) at the size that the model paints."""
        return resized(frames, *self._inner(*frames.shape[1:3]))

    def velocity(
        self, x: Tensor, time: float, words: Tensor, ring: Ring, source: Tensor, keep: bool = False,
        active: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """As Causal; a model that edits is shown the camera's latents too."""
        return self.net(torch.cat((x, source), 1) if self.edits else x, time, words, ring, keep, active)

    def fixed(self, seed: int, chunk: int, step: int, like: Tensor) -> Tensor:
        """A stream's noise for a step of a chunk, the same on every machine."""
        generator = np.random.Generator(np.random.Philox([seed, chunk * self.steps + step]))
        return torch.from_numpy(generator.standard_normal(tuple(like.shape), np.float32)).to(like)

    @staticmethod
    def apart(frame: Frames, before: Frames) -> float:
        """Root mean square difference of two frames, 0 to 1."""
        return float(cv2.norm(frame, before) / frame.size**0.5 / 255)

    def encode(self, frames: Frames, past: Features) -> Tensor:
        """One latent of (T, H, W, 3), as Codec.encode."""
        x = (
            torch.from_numpy(self.seen(frames)).to(self.device).permute(3, 0, 1, 2)[None].to(self.codec.vae.dtype)
            / 127.5
            - 1
        )
        return self.codec.encode(x, past).to(self.dtype)

    def decode(self, latent: Tensor, past: Features, height: int, width: int) -> Frames:
        """(T, H, W, 3) of one latent, for pictures of a size."""
        x = self.codec.decode(latent.to(self.codec.vae.dtype), past)[0]
        levels = (x.float() * 127.5 + 127.5).round().to(torch.uint8)
        shown = np.ascontiguousarray(levels.permute(1, 2, 3, 0).cpu().numpy())
        return resized(shown, height, width)
