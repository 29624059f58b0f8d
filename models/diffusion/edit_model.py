"""The modules of an edit pipeline (FLUX.2-klein's kind), shared by its streams."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reverie.models.blend import Blend
from reverie.models.diffusion.ask import read
from reverie.models.diffusion.edit import EditStream
from reverie.models.diffusion.tokens import Seen, adapt
from reverie.models.diffusion.words import Words, mix
from reverie.models.diffusion.writer import Writer
from reverie.models.prompt import normal
from reverie.models.stream import Frames, one_by_one

STEPS = 4  # of the distilled models
PROMPTS_KEPT = 64
CAMERA = 10  # where the camera's picture lies in the transformer's time


class EditModel:
    """Text encoder, transformer and autoencoder of a diffusers Flux2KleinPipeline."""

    def __init__(self, pipeline: Any, path: Path, llm: str | None = None, skip: float = 0.0) -> None:
        """Args: skip: a token that differs less (levels of 255) is not made again; 0 makes all."""
        from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

        self.name, self.steps, self.skip, self._mu = path.name, STEPS, skip, compute_empirical_mu
        self._pipeline, self.transformer, self._vae = pipeline, pipeline.transformer, pipeline.vae
        for module in (pipeline.transformer, pipeline.vae, pipeline.text_encoder):
            module.requires_grad_(False).eval()
        adapt(self.transformer)
        self.device, self.dtype = self.transformer.device, self.transformer.dtype
        self._writer = Writer(llm)
        self._words: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def stream(self) -> EditStream:
        return EditStream(self)

    def step_many(
        self, streams: Sequence[EditStream], frames: Sequence[Frames]
    ) -> Iterator[tuple[int, Frames | Exception]]:
        return one_by_one(streams, frames)

    def prepare(self, prompt: str) -> None:
        if prompt.strip():
            self.mixed(((normal(prompt), 1.0),))

    def picture(self, image: NDArray[np.uint8]) -> str:
        raise ValueError(f"{self.name} takes no reference pictures")

    def enhance(self, prompt: str) -> Iterator[str]:
        return self._writer.enhance(prompt)

    def counts(self) -> dict[str, int]:
        return {}

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
                self._words[key] = self._pipeline.encode_prompt(key, device=self.device)[0].to(self.dtype)
                if len(self._words) > PROMPTS_KEPT:
                    self._words.popitem(last=False)
            self._words.move_to_end(key)
            return self._words[key]

    def sigmas(self, tokens: int, share: float) -> list[float]:
        """Shares of noise at each step; all of it at strength 1, since the camera's tokens lead the way."""
        mu, n = self._mu(tokens, self.steps), self.steps
        scheduler = self._pipeline.scheduler
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / n, n), mu=mu)
        return [share * float(sigma) for sigma in scheduler.sigmas[:-1]]

    def ids(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Places (N, 4) of the picture's tokens and of the camera's: time, row, column, word."""
        grid = torch.zeros(rows * columns, 4, dtype=torch.int64, device=self.device)
        grid[:, 1] = torch.arange(rows, device=self.device).repeat_interleave(columns)
        grid[:, 2] = torch.arange(columns, device=self.device).repeat(rows)
        camera = grid.clone()
        camera[:, 0] = CAMERA
        return grid, camera

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
