"""The modules of an image pipeline, loaded once and shared by its streams."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from reverie.models.blend import Blend
from reverie.models.diffusion import folder as folders
from reverie.models.diffusion import memory
from reverie.models.diffusion.words import Words, mix
from reverie.models.prompt import normal
from reverie.models.stream import MAX_AREA, Frames

if TYPE_CHECKING:
    from reverie.models.diffusion.image import ImageStream, Rows
    from reverie.models.llm import LLM

log = logging.getLogger(__name__)
PROMPTS_KEPT = 256
LCM_STEPS = 4


def load(path: Path, device: str, llm: str | None = None, skip: float = 0.0) -> ImageModel:
    """A folder that diffusers saved, safetensors only, nothing fetched and no code of the folder run.

    Args: device: cpu, cuda or neuron.  llm: see ImageModel.  skip: see similar.Filter.
    Raises: FileNotFoundError, ValueError with one sentence; ValueError with the figures if it does not fit the GPU.
    """
    folders.check(path)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    if device == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("there is no CUDA device; --device cpu runs it slowly, nano runs on a CPU in real time")
        wanted = memory.need(folders.parameters(path), 2, MAX_AREA, LCM_STEPS)
        memory.check(path.name, wanted, torch.cuda.mem_get_info()[0])
    try:
        from diffusers import DiffusionPipeline
        from diffusers.utils import logging as diffusers_logging
    except ImportError as error:
        raise FileNotFoundError(f"diffusion models need reverie[diffusion]: {error}") from None
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    tiny = {}
    if (path / "vae_tiny").is_dir():
        from diffusers import AutoencoderTiny

        tiny["vae"] = AutoencoderTiny.from_pretrained(path / "vae_tiny", dtype=dtype, use_safetensors=True)
    pipeline = DiffusionPipeline.from_pretrained(
        path, local_files_only=True, use_safetensors=True, dtype=dtype, safety_checker=None, **tiny
    )
    steps = LCM_STEPS if type(pipeline.scheduler).__name__ == "LCMScheduler" else 1
    return ImageModel(pipeline.to("cuda" if device == "cuda" else "cpu"), path.name, steps, device, llm, skip)


class ImageModel:
    """Text encoder, network, autoencoder and scheduler of a diffusers pipeline."""

    def __init__(
        self, pipeline: Any, name: str, steps: int, device: str = "cpu", llm: str | None = None, skip: float = 0.0
    ) -> None:
        """
        Args:
            steps: denoising steps a frame.
            llm: what enhances prompts: None is the packaged SmolLM2; see reverie.models.checkpoint.read.
        """
        self.name, self.steps, self.skip, self.guidance = name, steps, skip, 1.0
        self.pipeline, self.scheduler, self.unet, self.vae = (
            pipeline, pipeline.scheduler, pipeline.unet, pipeline.vae,
        )  # fmt: skip
        for module in (self.unet, self.vae):
            module.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        self.dtype, self.device = self.unet.dtype, str(self.unet.device)
        self.channels = self.unet.config.in_channels
        self.factor = 2 ** (
            len(self.vae.config.get("decoder_block_out_channels", self.vae.config.block_out_channels)) - 1
        )
        self.shrunk = 1  # by how much sides are made smaller since memory ran out
        self._forward = _compiled(self.unet, device)
        self._llm_source = llm
        self._llm: LLM | None = None
        self._words: OrderedDict[str, Words] = OrderedDict()
        self._richer: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def stream(self) -> ImageStream:
        from reverie.models.diffusion.image import ImageStream

        return ImageStream(self)

    def step_many(
        self, streams: Sequence[ImageStream], frames: Sequence[Frames]
    ) -> Iterator[tuple[int, Frames | Exception]]:
        from reverie.models.diffusion.image import step_many

        return step_many(streams, frames)

    def prepare(self, prompt: str) -> None:
        if prompt.strip():
            self.words(prompt)

    def counts(self) -> dict[str, int]:
        return {}

    def enhance(self, prompt: str) -> Iterator[str]:
        """As the LLM writes, the first time; kept then."""
        key = normal(prompt)
        if key in self._richer:
            yield self._richer[key]
            return
        if self._llm is None:
            from reverie.models.llm import load as load_llm

            self._llm = load_llm(self._llm_source)
        rich = ""
        for piece in self._llm.enhance(prompt):
            rich += piece
            yield piece
        self._richer[key] = rich
        if len(self._richer) > PROMPTS_KEPT:
            self._richer.popitem(last=False)

    @torch.inference_mode()
    def words(self, prompt: str) -> Words:
        """What the text encoders say of a prompt; that of the last prompts is kept."""
        key = normal(prompt)
        with self._lock:
            if key not in self._words:
                answer = self.pipeline.encode_prompt(
                    key, device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
                )
                self._words[key] = Words(answer[0], answer[2] if len(answer) > 2 else None)
                if len(self._words) > PROMPTS_KEPT:
                    self._words.popitem(last=False)
            self._words.move_to_end(key)
            return self._words[key]

    @torch.inference_mode()
    def mixed(self, look: Blend) -> Words:
        return mix([(self.words(prompt), share) for prompt, share in look])

    def encode(self, frames: Frames) -> Tensor:
        """(T, H, W, 3) uint8 to latents (T, C, H / factor, W / factor)."""
        x = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 127.5 - 1
        answer = self.vae.encode(x.contiguous(memory_format=torch.channels_last))
        latents = answer.latents if hasattr(answer, "latents") else answer.latent_dist.mode()
        return latents * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Frames:
        x = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        levels = (x.float().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
        return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())

    def predict(self, asked: Sequence[Rows]) -> list[Tensor]:
        """One call of the network for the rows of all who ask; latents of one size."""
        counts = [len(rows.latents) for rows in asked]
        tokens = torch.cat([rows.words.tokens.expand(n, -1, -1) for rows, n in zip(asked, counts, strict=True)])
        x, t = torch.cat([rows.latents for rows in asked]), torch.cat([rows.timesteps for rows in asked])
        more = None
        if asked[0].words.pooled is not None:
            height, width = (side * self.factor for side in x.shape[2:])
            pooled = [rows.words.pooled.expand(n, -1) for rows, n in zip(asked, counts, strict=True)]  # type: ignore[union-attr]
            ids = torch.tensor([height, width, 0, 0, height, width], dtype=self.dtype, device=self.device)
            more = {"text_embeds": torch.cat(pooled), "time_ids": ids.expand(len(x), -1)}
        return list(self._forward(x, t, tokens, added_cond_kwargs=more, return_dict=False)[0].split(counts))

    def recover(self) -> None:
        """After a step ran out of memory.  Raises: RuntimeError if pictures cannot be made smaller any more."""
        if self.shrunk >= 4:
            raise RuntimeError("out of memory at a quarter of the picture's sides")
        self.shrunk *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.warning(
            "%s ran out of memory: it renders at 1/%d of the picture's sides from now on", self.name, self.shrunk
        )


def _compiled(module: Any, device: str) -> Any:
    """The module as the device runs it quickest.  Raises: ValueError if the device is not there."""
    if device == "cuda":
        return torch.compile(module, mode="reduce-overhead", dynamic=False)
    if device == "neuron":
        if "neuron" not in torch._dynamo.list_backends():
            raise ValueError('there is no torch backend "neuron" here: install the Neuron SDK')
        return torch.compile(module, backend="neuron", dynamic=False)
    return module
