"""The modules of an edit pipeline (FLUX.2-klein's kind), shared by its streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reverie.models.diffusion.edit import EditStream
from reverie.models.diffusion.sizes import EDIT_STEPS, REFERENCE
from reverie.models.diffusion.smaller import resized
from reverie.models.diffusion.tokens import PIXELS, Seen, adapt
from reverie.models.diffusion.told import Told
from reverie.models.picture import Picture, Pictures
from reverie.models.stream import Frames

CAMERA, PICTURE = 10, 20  # where the camera's picture and a reference lie in the transformer's time


class EditModel(Told):
    """Text encoder, transformer and autoencoder of a diffusers Flux2KleinPipeline."""

    def __init__(self, pipeline: Any, path: Path, llm: str | None = None, skip: float = 0.0) -> None:
        """Args: skip: a token that differs less (levels of 255) is not made again; 0 makes all."""
        from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

        super().__init__(pipeline, path, llm)
        self.steps, self.skip, self._mu = EDIT_STEPS, skip, compute_empirical_mu
        self.transformer, self._vae = pipeline.transformer, pipeline.vae
        adapt(self.transformer)
        self.device, self.dtype = self.transformer.device, self.transformer.dtype
        self.guides = not pipeline.config.is_distilled  # diffusers ignores guidance then
        self.pictures = Pictures(((REFERENCE // PIXELS) ** 2, self.transformer.config.in_channels), self._tokens)

    def stream(self) -> EditStream:
        return EditStream(self)

    def _read(self, prompt: str) -> Tensor:
        read: Tensor = self._pipeline.encode_prompt(prompt, device=self.device)[0].to(self.dtype)
        return read

    def sigmas(self, tokens: int, share: float) -> list[float]:
        """Shares of noise at each step; all of it at strength 1, since the camera's tokens lead the way."""
        mu, n = self._mu(tokens, self.steps), self.steps
        scheduler = self._pipeline.scheduler
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / n, n), mu=mu)
        return [share * float(sigma) for sigma in scheduler.sigmas[:-1]]

    def ids(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Places (N, 4) of the picture's tokens and of the camera's: time, row, column, word."""
        return self._grid(rows, columns, 0), self._grid(rows, columns, CAMERA)

    def picture_ids(self) -> Tensor:
        """Places (R, 4) of a reference picture's tokens."""
        return self._grid(REFERENCE // PIXELS, REFERENCE // PIXELS, PICTURE)

    def _grid(self, rows: int, columns: int, time: int) -> Tensor:
        grid = torch.zeros(rows * columns, 4, dtype=torch.int64, device=self.device)
        grid[:, 0] = time
        grid[:, 1] = torch.arange(rows, device=self.device).repeat_interleave(columns)
        grid[:, 2] = torch.arange(columns, device=self.device).repeat(rows)
        return grid

    def predict(self, tokens: Tensor, sigma: float, words: Tensor, ids: Tensor, seen: Seen) -> Tensor:
        """Velocity of the tokens (1, A, C) that are there."""
        time = torch.full((1,), sigma, dtype=self.dtype, device=self.device)
        said = torch.zeros(words.shape[1], 4, dtype=torch.int64, device=self.device)
        said[:, 3] = torch.arange(words.shape[1], device=self.device)
        answer: Tensor = self.transformer(
            hidden_states=tokens, timestep=time, encoder_hidden_states=words, txt_ids=said, img_ids=ids,
            joint_attention_kwargs={"seen": seen}, return_dict=False,
        )[0]  # fmt: skip
        return answer

    def fixed(self, seed: int, like: Tensor) -> Tensor:
        """The stream's fixed noise, the same for a seed on every machine."""
        made = np.random.Generator(np.random.Philox(seed)).standard_normal(tuple(like.shape), np.float32)
        return torch.from_numpy(made).to(like)

    @torch.inference_mode()
    def _tokens(self, image: Picture) -> NDArray[np.float32]:
        """(R, C) of the middle of a reference picture, a square: a GPU's program is compiled for one size alone."""
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = resized(image[None, top : top + side, left : left + side], REFERENCE, REFERENCE)[0]
        return np.ascontiguousarray(self.encode(square)[0].float().cpu().numpy())

    def encode(self, frame: Frames) -> Tensor:
        """Tokens (1, N, C) of a frame (H, W, 3)."""
        x = torch.from_numpy(frame).to(self.device).permute(2, 0, 1)[None].to(self.dtype) / 127.5 - 1
        latents: Tensor = self._pipeline._encode_vae_image(x, None)
        return latents.flatten(2).transpose(1, 2)

    def decode(self, tokens: Tensor, rows: int, columns: int) -> Frames:
        """A frame (H, W, 3) of all its tokens."""
        latents = tokens.transpose(1, 2).unflatten(2, (rows, columns))
        norm = self._vae.bn
        deviation = (norm.running_var + self._vae.config.batch_norm_eps).sqrt()[:, None, None]
        latents = self._pipeline._unpatchify_latents(latents * deviation + norm.running_mean[:, None, None])
        x = self._vae.decode(latents.to(self.dtype)).sample[0]
        levels = (x.float().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
        return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())
