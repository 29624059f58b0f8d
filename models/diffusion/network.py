"""The modules of an image pipeline, loaded once and shared by its streams."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reverie.models.blend import Blend
from reverie.models.diffusion import folder as folders
from reverie.models.diffusion import lora, memory, precision
from reverie.models.diffusion import pipeline as pipelines
from reverie.models.diffusion import wish as wishes
from reverie.models.diffusion.ask import Named
from reverie.models.diffusion.compiled import blocks, compiled, in_place, layout
from reverie.models.diffusion.control import Controls
from reverie.models.diffusion.lora import Loras, Worn
from reverie.models.diffusion.packed import pack
from reverie.models.diffusion.reference import Reference
from reverie.models.diffusion.sizes import LCM_STEPS
from reverie.models.diffusion.smaller import Smaller
from reverie.models.diffusion.wish import Wish
from reverie.models.diffusion.words import Words, joined
from reverie.models.diffusion.writer import Writer
from reverie.models.prompt import normal
from reverie.models.stream import Frames

if TYPE_CHECKING:
    from reverie.models.diffusion.image import ImageStream, Rows

PROMPTS_KEPT = 256
LCM_GUIDANCE = 8.5  # diffusers' own, of models that take it as a number


def load(path: Path, device: str, llm: str | None = None, skip: float = 0.0, bits: str = "", sessions: int = 1) -> Any:
    """A folder that diffusers saved, safetensors only, nothing fetched and no code of the folder run.

    Args: device: cpu, cuda or neuron.  llm: see ImageModel.  skip: see similar.Filter.  bits: of precision.NAMES.
        sessions: at once, that memory is planned for.
    Raises: FileNotFoundError, ValueError with one sentence; ValueError with the figures if it does not fit the device.
    """
    kind = folders.check(path)
    dtype = precision.number(device)
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device; --device cpu runs it slowly, nano runs on a CPU in real time")
    precision.check(bits, device, torch.cuda.get_device_capability() if device == "cuda" else None)
    memory.plan(path, device, bits, sessions)
    pipeline, image = pipelines.read(path, kind, dtype), folders.network(kind) == "unet"
    if not image:
        precision.apply(pipeline.transformer, bits, device)
        blocks(pipeline.transformer, device)
    if kind.startswith(("Wan", "LucyEdit")):
        from reverie.models.diffusion.video_model import VideoModel

        return VideoModel(pipeline.to("cuda" if device == "cuda" else "cpu"), path, llm, skip)
    if not image:
        from reverie.models.diffusion.edit_model import EditModel

        return EditModel(pipeline.to("cuda" if device == "cuda" else "cpu"), path, llm, skip)
    for file in (path / "lcm_lora").glob("*.safetensors"):
        from diffusers import LCMScheduler

        lora.fuse(file, pipeline)
        pipeline.scheduler = LCMScheduler.from_config(pipeline.scheduler.config)
    precision.apply(pipeline.unet, bits, device)
    return ImageModel(pipeline.to("cuda" if device == "cuda" else "cpu"), path, device, llm, skip)


class ImageModel:
    """Text encoder, network, autoencoder and scheduler of a diffusers pipeline."""

    def __init__(
        self, pipeline: Any, path: Path, device: str = "cpu", llm: str | None = None, skip: float = 0.0
    ) -> None:
        """
        Args:
            path: of its folder, where ControlNets, LoRAs and an IP-Adapter may lie.
            llm: what enhances prompts: None is the packaged SmolLM2; see reverie.models.checkpoint.read.
        Raises: ValueError if one of those is not of this model.
        """
        self.name, self.skip = path.name, skip
        self.steps = LCM_STEPS if type(pipeline.scheduler).__name__ == "LCMScheduler" else 1  # denoising steps a frame
        self.pipeline, self.scheduler, self.unet, self.vae = (
            pipeline, pipeline.scheduler, pipeline.unet, pipeline.vae,
        )  # fmt: skip
        self.dtype, self.device = self.unet.dtype, str(self.unet.device)
        self.reference = Reference(path, pipeline) if (path / "ip_adapter").is_dir() else None
        self.controls, self.loras = Controls(path, self.dtype, self.device), Loras(path, pipeline)
        self._layout = layout(device)
        for module in (self.unet, self.vae):
            module.requires_grad_(False).eval().to(memory_format=self._layout)
            pack(module, device)
        self.channels = self.unet.config.in_channels
        self.factor = 2 ** (
            len(self.vae.config.get("decoder_block_out_channels", self.vae.config.block_out_channels)) - 1
        )
        self.smaller = Smaller(self.name)
        self._forward = compiled(self.unet, device)
        for half in (self.vae.encoder, self.vae.decoder):
            in_place(half, device)
        self._scale = _guidance_embedding(pipeline)
        self.writer = Writer(llm)
        self._words: OrderedDict[tuple[str, Worn], Words] = OrderedDict()
        self._lock = threading.Lock()

    def stream(self) -> ImageStream:
        from reverie.models.diffusion.image import ImageStream

        return ImageStream(self)

    def step_many(
        self, streams: Sequence[ImageStream], frames: Sequence[Frames]
    ) -> Iterator[tuple[int, Frames | Exception]]:
        from reverie.models.diffusion.together import step_many

        return step_many(streams, frames)

    def prepare(self, prompt: str) -> None:
        if prompt.strip():
            self.wish(((normal(prompt), 1.0),))

    def picture(self, image: NDArray[np.uint8]) -> str:
        if self.reference is None:
            raise ValueError(f"{self.name} has no ip_adapter: it takes no reference pictures")
        return self.reference.pictures.take(image)

    @property
    def limited(self) -> str:
        return self.smaller.said

    def counts(self) -> dict[str, int]:
        return self.smaller.counts()

    def enhance(self, prompt: str) -> Iterator[str]:
        return self.writer.enhance(prompt)

    def wish(self, look: Blend) -> Wish:
        """What the network is asked for a look without the camera.  Raises: ValueError if something is not there."""
        return wishes.read(self, look)

    @torch.inference_mode()
    def words(self, prompt: str, loras: Named = ()) -> Words:
        """What the text encoders say of a prompt; that of the last prompts is kept."""
        encoders = [part for part in ("text_encoder", "text_encoder_2") if getattr(self.pipeline, part, None)]
        worn = dict.fromkeys(each for part in encoders for each in self.loras.of(part, loras))
        key = normal(prompt), tuple(worn)
        with self._lock:
            if key not in self._words:
                for part in encoders:
                    self.loras.wear(part, tuple((name, scale) for name, scale, _ in worn))
                answer = self.pipeline.encode_prompt(
                    key[0], device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
                )
                self._words[key] = Words(answer[0], answer[2] if len(answer) > 2 else None)
                if len(self._words) > PROMPTS_KEPT:
                    self._words.popitem(last=False)
            self._words.move_to_end(key)
            return self._words[key]

    def encode(self, frames: Frames) -> Tensor:
        """(T, H, W, 3) uint8 to latents (T, C, H / factor, W / factor)."""
        x = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 127.5 - 1
        answer = self.vae.encode(x.contiguous(memory_format=self._layout))
        latents = answer.latents if hasattr(answer, "latents") else answer.latent_dist.mode()
        return latents * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Frames:
        x = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        levels = (x.float().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
        return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())

    def predict(self, asked: Sequence[Rows]) -> list[Tensor]:
        """One call of the network for the rows of all who ask; latents of one size, all with the same LoRAs."""
        counts = [len(rows.latents) for rows in asked]
        words = joined([rows.words for rows in asked])
        x, t = torch.cat([rows.latents for rows in asked]), torch.cat([rows.timesteps for rows in asked])
        more: dict[str, Any] = {}
        if words.pooled is not None:
            height, width = (side * self.factor for side in x.shape[2:])
            ids = torch.tensor([height, width, 0, 0, height, width], dtype=self.dtype, device=self.device)
            more = {"text_embeds": words.pooled, "time_ids": ids.expand(len(x), -1)}
        held = self.controls.residuals(x, t, words.tokens, more, [(r.maps, r.scales, len(r.latents)) for r in asked])
        if self.reference is not None:
            more["image_embeds"] = [torch.cat([rows.picture for rows in asked if rows.picture is not None])]
        scale = None if self._scale is None else self._scale.expand(len(x), -1)
        answer = self._forward(
            x, t, words.tokens, timestep_cond=scale, added_cond_kwargs=more or None, return_dict=False, **held
        )
        return list(answer[0].split(counts))


def _guidance_embedding(pipeline: Any) -> Tensor | None:
    """(1, G), of models that learned guidance in their steps, as LCM."""
    unet = pipeline.unet
    if unet.config.time_cond_proj_dim is None:
        return None
    scale = torch.tensor([LCM_GUIDANCE - 1])
    embedded: Tensor = pipeline.get_guidance_scale_embedding(scale, unet.config.time_cond_proj_dim)
    return embedded.to(unet.device, unet.dtype)
