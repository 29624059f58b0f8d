"""Reference pictures for a diffusion model: IP-Adapter, in a model's folder as `ip_adapter` and `image_encoder`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reverie.models.diffusion.ask import Named
from reverie.models.picture import Pictures

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)  # of CLIP
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


class Reference:
    """Makes picture tokens, T of width D.  Tokens of zeros add nothing to the network's attention, bit for bit."""

    def __init__(self, folder: Path, pipeline: Any) -> None:
        """Puts the adapter's layers into the pipeline's network.  Raises: ValueError if a part is missing."""
        from transformers import CLIPVisionModelWithProjection

        files = sorted((folder / "ip_adapter").glob("*.safetensors"))
        if not files or not any((folder / "image_encoder").glob("*.safetensors")):
            raise ValueError(f"{folder.name}/ip_adapter needs safetensors, in image_encoder too")
        unet = pipeline.unet
        self._like = next(unet.parameters())
        self._encoder = (
            CLIPVisionModelWithProjection.from_pretrained(
                folder / "image_encoder", local_files_only=True, use_safetensors=True, dtype=self._like.dtype
            )
            .to(self._like.device)
            .eval()
        )
        pipeline.load_ip_adapter(
            str(folder), subfolder="ip_adapter", weight_name=files[0].name, image_encoder_folder=None,
            local_files_only=True,
        )  # fmt: skip
        pipeline.set_ip_adapter_scale(1.0)
        self._project = unet.encoder_hid_proj.image_projection_layers[0]
        unet.encoder_hid_proj = nn.Identity()  # it is given tokens, made once for a picture and not in every step
        self._plus = not hasattr(self._project, "image_embeds")
        self.shape = tuple(self._tokens(np.zeros((16, 16, 3), np.uint8)).shape)  # (T, D)
        self.pictures = Pictures(self.shape, self._tokens)

    @torch.inference_mode()
    def _tokens(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        side = self._encoder.config.image_size
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        pixels = torch.from_numpy((small - MEAN) / DEVIATION).permute(2, 0, 1)[None].to(self._like)
        if self._plus:
            seen = self._encoder(pixels, output_hidden_states=True).hidden_states[-2]
        else:
            seen = self._encoder(pixels).image_embeds
        return np.ascontiguousarray(self._project(seen)[0].float().cpu().numpy())

    def mixed(self, pictures: Named) -> Tensor:
        """Tokens (1, T, D) of pictures by their shares of a look.  Raises: ValueError if one is not known."""
        tokens = sum((self.pictures[name] * np.float32(s) for name, s in pictures), np.zeros(self.shape, np.float32))
        return torch.from_numpy(tokens)[None].to(self._like)
