"""A pipeline of diffusers from a checked folder: safetensors only, nothing fetched, no code of the folder run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from reverie.models.diffusion import folder as folders


def read(path: Path, kind: str, dtype: torch.dtype) -> Any:
    """Args: kind: its class, as `folder.check` gives it.  Raises: FileNotFoundError, ValueError with one sentence."""
    try:
        import diffusers
    except ImportError as error:
        raise FileNotFoundError(f"diffusion models need reverie[diffusion]: {error}") from None
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": dtype}
    if kind.startswith("Wan"):
        return _wan(path, options)
    if not hasattr(diffusers, kind):
        raise ValueError(f"{kind} is not known to diffusers {diffusers.__version__}, which is installed")
    more: dict[str, Any] = {"safety_checker": None} if folders.network(kind) == "unet" else {}
    if (path / "vae_tiny").is_dir():
        more["vae"] = diffusers.AutoencoderTiny.from_pretrained(path / "vae_tiny", **options)
    return diffusers.DiffusionPipeline.from_pretrained(path, **options, **more)


def _wan(path: Path, options: dict[str, Any]) -> Any:
    """By its parts: checkpoints of Self-Forcing's kind name a pipeline, transformer and scheduler of other libraries.

    Their weights are those of WanTransformer3DModel; the scheduler is not used.
    """
    import diffusers
    from transformers import AutoTokenizer, UMT5EncoderModel

    return diffusers.WanPipeline(
        tokenizer=AutoTokenizer.from_pretrained(path / "tokenizer", local_files_only=True),
        text_encoder=UMT5EncoderModel.from_pretrained(path / "text_encoder", **options),
        transformer=diffusers.WanTransformer3DModel.from_pretrained(path / "transformer", **options),
        vae=diffusers.AutoencoderKLWan.from_pretrained(path / "vae", **options),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )
