"""LoRAs on and off while the model runs: their products are added into the weights, where they lie.

Nothing is recompiled and nothing is slower with one.  What the weights were is kept, so that taking a LoRA off gives
them back bit for bit; that costs the memory of the layers that one has touched.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from reverie.models.diffusion.ask import Named

FOLDER = "loras"  # of a model's folder
PARTS = ("unet", "transformer", "text_encoder", "text_encoder_2")


class Delta(NamedTuple):
    """What is added to one layer's weight: scale * up @ down, in the weight's shape."""

    down: Tensor  # (R, ...)
    up: Tensor  # (O, R, ...)
    scale: float  # alpha / R

    def full(self, like: Tensor) -> Tensor:
        up, down = (x.to(like.device, torch.float32) for x in (self.up.flatten(1), self.down.flatten(1)))
        return self.scale * (up @ down).view(like.shape)


Deltas = dict[str, dict[str, Delta]]  # part, layer


def read(file: Path, pipeline: Any) -> Deltas:
    """A file of PEFT, diffusers or kohya, by diffusers' own reading.

    Raises: ValueError with one sentence if it is damaged, none, or of another model.
    """
    config = {"unet_config": pipeline.unet.config} if getattr(pipeline, "unet", None) is not None else {}
    try:
        answer = pipeline.lora_state_dict(
            str(file.parent), weight_name=file.name, local_files_only=True, use_safetensors=True,
            return_lora_metadata=True, **config,
        )  # fmt: skip
    except Exception as error:  # of a file that users brought, read by diffusers: many kinds
        raise ValueError(f"LoRA {file.stem} cannot be read: {error}") from None
    tensors, metadata = answer[0], answer[-1] or {}
    alphas = (answer[1] if len(answer) > 2 else None) or {}
    found = {part: _layers(part, tensors, alphas, metadata) for part in PARTS}
    if not any(found.values()):
        raise ValueError(f"LoRA {file.stem} holds nothing for this kind of model")
    for part, layers in found.items():
        _check(file.stem, part, getattr(pipeline, part, None), layers)
    return {part: layers for part, layers in found.items() if layers}


def _layers(
    part: str, tensors: dict[str, Tensor], alphas: dict[str, Any], metadata: dict[str, Any]
) -> dict[str, Delta]:
    from diffusers.utils.state_dict_utils import convert_state_dict_to_peft, convert_unet_state_dict_to_peft

    convert = convert_state_dict_to_peft if part.startswith("text") else convert_unet_state_dict_to_peft
    mine = {key.removeprefix(f"{part}."): x for key, x in tensors.items() if key.startswith(f"{part}.")}
    if mine and "lora_A" not in next(iter(mine)):
        mine = convert(mine)
    scales = {key.removeprefix(f"{part}."): float(a) for key, a in alphas.items() if key.startswith(f"{part}.")}
    scales = {key.removesuffix(".alpha"): a for key, a in (convert(scales) if scales else {}).items()}
    layers = {}
    for key, down in mine.items():
        layer, dot, _ = key.partition(".lora_A.")
        if not dot:
            continue
        up, rank = mine[key.replace(".lora_A.", ".lora_B.")], len(down)
        known = [a for name, a in scales.items() if name.startswith(f"{layer}.") or name == layer]
        alpha = known[0] if known else metadata.get(f"{part}.alpha_pattern", {}).get(layer)
        layers[layer] = Delta(down, up, float(alpha or metadata.get(f"{part}.lora_alpha") or rank) / rank)
    return layers


def _check(name: str, part: str, module: Any, layers: dict[str, Delta]) -> None:
    for layer, delta in layers.items():
        try:
            weight = module.get_submodule(layer).weight
        except AttributeError:
            raise ValueError(f"LoRA {name} is of another model: there is no {part}.{layer} here") from None
        if type(weight) is not nn.Parameter:
            raise ValueError(
                f"LoRA {name} cannot be added to {part}.{layer}, which is in eight bits (REVERIE_PRECISION)"
            )
        made = (delta.up.shape[0], delta.down[0].numel())
        if made != (weight.shape[0], weight[0].numel()):
            raise ValueError(f"LoRA {name} is of another model: {part}.{layer} is {tuple(weight.shape)}, not {made}")


Worn = tuple[tuple[str, float, int], ...]  # names, scales and which reading of the file


class Loras:
    """The LoRAs of a model's folder, read when they are first asked for, and again when a file is another.

    What was read stays known to those who wear it, also when its file is gone.
    """

    def __init__(self, folder: Path, pipeline: Any) -> None:
        self._folder, self._pipeline = folder / FOLDER, pipeline
        self._known: dict[str, tuple[float, int, Deltas]] = {}  # when it was written, which reading, what it says
        self._lock = threading.Lock()
        self._plain: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        self._worn: dict[str, Worn] = dict.fromkeys(PARTS, ())

    def names(self) -> list[str]:
        return sorted(file.stem.lower() for file in self._folder.glob("*.safetensors"))

    def check(self, wanted: Named) -> None:
        """Reads them.  Raises: ValueError if one is not there or cannot be used."""
        for name, _ in wanted:
            self._read(name)

    def of(self, part: str, wanted: Named) -> Worn:
        """Those that change a part of the model."""
        known = ((name, scale, self._found(name)) for name, scale in wanted)
        return tuple((name, scale, reading) for name, scale, (_, reading, deltas) in known if part in deltas)

    def _found(self, name: str) -> tuple[float, int, Deltas]:
        if name not in self._known:
            self._read(name)
        return self._known[name]

    def _read(self, name: str) -> None:
        file = next((f for f in self._folder.glob("*.safetensors") if f.stem.lower() == name), None)
        if file is None:
            known = ", ".join(self.names()) or "none"
            raise ValueError(f"there is no LoRA {name!r}; the model's folder {FOLDER} has {known}")
        with self._lock:
            written = file.stat().st_mtime
            before, reading, _ = self._known.get(name, (None, 0, None))
            if before != written:
                self._known[name] = written, reading + 1, read(file, self._pipeline)

    @torch.no_grad()
    def wear(self, part: str, wanted: Named) -> None:
        """From now on, these on one part of the model; by the thread alone that runs the part."""
        known = {name: self._found(name) for name, _ in wanted}
        worn = tuple((name, scale, known[name][1]) for name, scale in wanted)
        if self._worn[part] == worn:
            return
        module, plain = getattr(self._pipeline, part), self._plain[part]
        deltas: dict[str, list[tuple[float, Delta]]] = {}
        for name, scale in wanted:
            for layer, delta in known[name][2].get(part, {}).items():
                deltas.setdefault(layer, []).append((scale, delta))
        for layer in {*plain, *deltas}:
            weight = module.get_submodule(layer).weight
            before = plain.setdefault(layer, weight.detach().clone())
            if layer in deltas:
                added = [scale * delta.full(before) for scale, delta in deltas[layer]]
                weight.copy_(before + torch.stack(added).sum(0))
            else:
                weight.copy_(before)
        self._worn[part] = worn


def fuse(file: Path, pipeline: Any) -> None:
    """A LoRA for good, as LCM's.  Raises: ValueError."""
    with torch.no_grad():
        for part, layers in read(file, pipeline).items():
            for layer, delta in layers.items():
                weight = getattr(pipeline, part).get_submodule(layer).weight
                weight.copy_(weight + delta.full(weight))
