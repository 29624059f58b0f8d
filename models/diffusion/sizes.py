"""What a model holds beside its weights: to work, and for each stream.  From the settings of its parts, in numbers.

How many tensors are alive at once was counted on meta tensors with the settings of SD-Turbo, SDXL, ControlNet, TAESD,
Wan 2.1 and FLUX.2; a GPU's libraries may take more.  Nothing heavy is imported here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from reverie.models.diffusion import folder as folders

LCM_STEPS = 4
EDIT_STEPS = 4  # of a distilled edit model
WORDS = 512  # tokens of a prompt, of models with a transformer
REFERENCE = 384  # pixels of the sides at which an edit model sees a reference picture
LATENTS = 3  # of a video's chunk
SLOTS = 4  # chunks in a video's ring: the sink and three more
LATENT, TOKEN = 8, 16  # pixels of a side

UNET = 26  # of its first layer's width and the latents' size, for each row
CONTROL = 25  # the same, of one ControlNet; its answers, half of that, are there while the UNet runs
VAE = {"AutoencoderTiny": 3}  # of the first layer's width and the picture's size
OTHER_VAE = 6
WAN_VAE, WAN_VAE_KEPT = 28, 40  # for four frames; what its causal convolutions keep for a stream
WAN, FLUX = 33, 22  # of the tokens' count and width


class Held(NamedTuple):
    """Numbers, not bytes."""

    work: float  # in a step of all streams
    stream: float  # kept for each stream


def held(folder: Path, pixels: int, streams: int) -> Held:
    """Of a folder that `folder.check` found good, for pictures of so many pixels."""
    kind = folders.check(folder)
    if folders.network(kind) == "unet":
        return _image(folder, pixels, streams)
    return _edit(folder, pixels) if kind.startswith("Flux2") else _video(folder, pixels)


def steps(folder: Path) -> int:
    """Denoising steps of an image model."""
    lcm = folders.scheduler(folder) == "LCMScheduler" or any((folder / "lcm_lora").glob("*.safetensors"))
    return LCM_STEPS if lcm else 1


def _image(folder: Path, pixels: int, streams: int) -> Held:
    """All streams step together, each with a row for every step and one for a negative prompt."""
    count, latents = steps(folder), pixels / LATENT**2
    width = _first(folders.settings(folder / "unet").get("block_out_channels"), 320)
    controls = len(list(folder.glob("controlnet_*")))
    rows = streams * (count + 1) * latents * width * (UNET + CONTROL / 2 * controls)
    part = folder / "vae_tiny" if (folder / "vae_tiny").is_dir() else folder / "vae"
    found = folders.settings(part)
    wide = _first(found.get("decoder_block_out_channels") or found.get("block_out_channels"), 64)
    pictures = streams * pixels * wide * VAE.get(str(found.get("_class_name")), OTHER_VAE)
    channels = int(folders.settings(folder / "unet").get("in_channels", 4))
    return Held(max(rows, pictures), 3 * count * channels * latents)  # on their way, anchors, noise


def _edit(folder: Path, pixels: int) -> Held:
    """One stream after the other; each keeps keys and values of all tokens, layers and steps."""
    net, vae = folders.settings(folder / "transformer"), folders.settings(folder / "vae")
    width = int(net.get("num_attention_heads", 48)) * int(net.get("attention_head_dim", 128))
    layers = int(net.get("num_layers", 8)) + int(net.get("num_single_layers", 48))
    tokens = WORDS + (2 * pixels + REFERENCE**2) / TOKEN**2
    pictures = pixels * _first(vae.get("block_out_channels"), 128) * OTHER_VAE
    runs = EDIT_STEPS + (not folders.settings(folder, "model_index.json").get("is_distilled"))
    return Held(max(tokens * width * FLUX, pictures), runs * layers * 2 * tokens * width)


def _video(folder: Path, pixels: int) -> Held:
    """One stream after the other; each keeps its ring, twice while the past is told anew, and the codec's past."""
    net, vae = folders.settings(folder / "transformer"), folders.settings(folder / "vae")
    width = int(net.get("num_attention_heads", 40)) * int(net.get("attention_head_dim", 128))
    patch = math.prod(net.get("patch_size", (1, 2, 2))[1:])
    tokens = LATENTS * pixels / int(vae.get("scale_factor_spatial", 8)) ** 2 / patch
    seen = pixels / int(vae.get("patch_size") or 1) ** 2 * int(vae.get("base_dim", 96))
    ring = SLOTS * tokens * width * 2 * int(net.get("num_layers", 40))
    return Held(max(tokens * width * WAN, seen * WAN_VAE), 2 * ring + seen * WAN_VAE_KEPT)


def _first(widths: object, otherwise: int) -> int:
    return int(widths[0]) if isinstance(widths, list | tuple) and widths else otherwise
