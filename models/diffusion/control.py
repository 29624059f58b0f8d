"""ControlNets of a model's folder: `controlnet_edges`, `controlnet_depth`, `controlnet_pose`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reverie.models.diffusion import maps
from reverie.models.diffusion.ask import Named
from reverie.models.diffusion.compiled import layout
from reverie.models.diffusion.packed import pack
from reverie.models.stream import Frames

PREFIX = "controlnet_"


class Controls:
    """Networks that hold a picture's structure, and what makes the maps that they are shown."""

    def __init__(self, folder: Path, dtype: torch.dtype, device: str) -> None:
        """Raises: ValueError if one is not known, or has no safetensors."""
        self._dtype, self._device = dtype, device
        parts = {part.name.removeprefix(PREFIX): part for part in sorted(folder.glob(f"{PREFIX}*")) if part.is_dir()}
        self._makers = maps.makers(folder, list(parts), dtype, device)
        self._nets: dict[str, Any] = {}
        for name, part in parts.items():
            if not any(part.glob("*.safetensors")):
                raise ValueError(f"{folder.name}/{part.name} has no safetensors; other formats are not read")
            from diffusers import ControlNetModel

            net = ControlNetModel.from_pretrained(part, local_files_only=True, use_safetensors=True, dtype=dtype)
            self._nets[name] = net.to(device, memory_format=layout(device)).requires_grad_(False).eval()
            pack(self._nets[name], device)

    def check(self, wanted: Named) -> None:
        """Raises: ValueError if one is not there."""
        for name, _ in wanted:
            if name not in self._nets:
                known = ", ".join(self._nets) or "none"
                raise ValueError(f"there is no control {name!r}; this model has {known}")

    def maps(self, frame: Frames, wanted: Named) -> dict[str, Tensor]:
        """Of a frame (H, W, 3): (1, 3, H, W) each, 0 to 1."""
        made = {name: torch.from_numpy(self._makers[name](frame)) for name, _ in wanted}
        return {n: m.permute(2, 0, 1)[None].to(self._device).to(self._dtype) / 255 for n, m in made.items()}

    def residuals(
        self, x: Tensor, t: Tensor, tokens: Tensor, more: Any, rows: Sequence[tuple[Mapping[str, Tensor], Named, int]]
    ) -> dict[str, Any]:
        """What they add to the network's answer; of rows that want none, nothing.

        Args:
            more: `added_cond_kwargs` of the network.
            rows: for each stream in the call its maps (n, 3, H, W), their scales, and n.
        """
        down: list[Tensor] | None = None
        for name, net in self._nets.items():
            if not any(name in shown for shown, _, _ in rows):
                continue
            like = next(shown[name] for shown, _, _ in rows if name in shown)[:1]
            shown = torch.cat(
                [m[name] if name in m else torch.zeros_like(like).expand(n, -1, -1, -1) for m, _, n in rows]
            )
            scales = [dict(wanted).get(name, 0.0) for _, wanted, n in rows for _ in range(n)]
            scale = torch.tensor(scales, dtype=x.dtype, device=x.device)[:, None, None, None]
            made = net(x, t, tokens, controlnet_cond=shown, added_cond_kwargs=more, return_dict=False)
            each = [residual * scale for residual in (*made[0], made[1])]
            down = each if down is None else [a + b for a, b in zip(down, each, strict=True)]
        if down is None:
            return {}
        return {"down_block_additional_residuals": tuple(down[:-1]), "mid_block_additional_residual": down[-1]}
