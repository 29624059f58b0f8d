"""A video stream as bytes, and back: its look, its past, and what is on its way.  It is as large as its ring.

A ring that is being told anew is told anew from its beginning.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from reverie.models.blend import Blend, blend
from reverie.models.diffusion.resting import Resting
from reverie.models.diffusion.told import Away

if TYPE_CHECKING:
    from reverie.models.diffusion.video import VideoStream
    from reverie.models.diffusion.video_model import VideoModel

RESTING = ("made", "most", "still")
PARTS = ("_past", "_future", "_latents", "_made", "_waiting", "_ready")  # lists of tensors or of pictures


def save(stream: VideoStream) -> bytes:
    """Everything `load` needs to go on identically."""
    facts: dict[str, Any] = {"look": stream.look, "seed": stream._seed, "strength": stream._strength}
    kept: dict[str, Tensor] = {}
    if stream._ring is not None:
        facts |= {
            "count": stream._ring.count, "number": stream._number, "noise": stream._noise, "turns": stream._turns,
            "moved": stream._moved, "put_on": stream._put_on,
        }  # fmt: skip
        for name in PARTS:
            values = list(getattr(stream, name))
            facts[name] = ["tensor" if isinstance(v, Tensor | np.ndarray) else v for v in values]
            kept |= {f"{name}.{n}": _tensor(v) for n, v in enumerate(values) if isinstance(v, Tensor | np.ndarray)}
        for n, layer in enumerate(stream._ring.layers):
            kept |= {f"keys.{n}": layer.keys, f"values.{n}": layer.values}
        kept |= {name: _tensor(getattr(stream, f"_{name}")) for name in ("shown", "before", "source", "x")}
        kept |= {f"made.{n}": made for n, (made, _) in enumerate(stream._kept)}
        kept |= {f"camera.{n}": source for n, (_, source) in enumerate(stream._kept)}
        for name in ("worn", "told"):
            words = getattr(stream, f"_{name}")
            if words is not None and words is not stream._words:
                kept[name] = words
        if stream._led is not None:
            facts["led"] = stream._led.scale
            kept |= {"led": stream._led.words, "anchor": stream._anchor}
        if stream._active is not None:
            kept |= {"active": stream._active, "rested": stream._rested}
        if stream._rest is not None:
            rest, facts["age"] = stream._rest, stream._rest.age
            kept |= {f"rest.{name}": _tensor(getattr(rest, name)) for name in RESTING}
    ready = {name: x.detach().cpu().contiguous().clone() for name, x in kept.items()}
    ready["facts"] = torch.frombuffer(bytearray(json.dumps(facts).encode()), dtype=torch.uint8)
    return save_tensors(ready, {"model": stream.model.name})


def _tensor(value: Any) -> Tensor:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def load(stream: VideoStream, state: bytes) -> None:
    """Raises: ValueError if it is none of this model."""
    model = stream.model
    try:
        kept = load_tensors(state)
        facts = json.loads(kept["facts"].numpy().tobytes())
        look: Blend = blend((str(prompt), float(share)) for prompt, share in facts["look"])
        stream.start(look, int(facts["seed"]), float(facts["strength"]))
        if "count" in facts:
            _restore(stream, kept, facts)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"this is not a saved stream of {model.name}: {error}") from None


def _restore(stream: VideoStream, kept: dict[str, Tensor], facts: dict[str, Any]) -> None:
    model = stream.model
    stream._shown, stream._before = (kept[name].numpy() for name in ("shown", "before"))
    ring = model.ring(*stream._shown.shape[:2])
    for n, layer in enumerate(ring.layers):
        for name, own in (("keys", layer.keys), ("values", layer.values)):
            if kept[f"{name}.{n}"].shape != own.shape:
                raise ValueError(f"its ring is {tuple(kept[f'{name}.{n}'].shape)}, this model's {tuple(own.shape)}")
            own.copy_(kept[f"{name}.{n}"])
    ring.count = int(facts["count"])
    stream._noise, stream._turns, stream._moved = facts["noise"], int(facts["turns"]), list(facts["moved"])
    for name in PARTS:
        values = [kept[f"{name}.{n}"] if v == "tensor" else v for n, v in enumerate(facts[name])]
        frames = name in ("_waiting", "_ready")
        setattr(
            stream, name, [v.numpy() if frames else v.to(model.device) if isinstance(v, Tensor) else v for v in values]
        )
    stream._ready = deque(stream._ready)
    stream._source, stream._x = (kept[name].to(model.device) for name in ("source", "x"))
    for name in ("worn", "told"):
        setattr(stream, f"_{name}", kept[name].to(model.device) if name in kept else stream._words)
    pairs = ((kept[f"made.{n}"], kept[f"camera.{n}"]) for n in range(sum(name.startswith("made.") for name in kept)))
    stream._kept = [(made.to(model.device), source.to(model.device)) for made, source in pairs]
    stream._put_on = tuple((str(name), float(scale)) for name, scale in facts["put_on"])
    stream._led, stream._anchor = _led(stream, kept, facts)
    stream._number, stream._new = int(facts["number"]), None
    stream._active, stream._rested = (
        (kept["active"].to(model.device), kept["rested"].to(model.device)) if "active" in kept else (None, stream._x)
    )
    stream._rest = _resting(model, kept, facts)
    stream._ring = ring


def _led(stream: VideoStream, kept: dict[str, Tensor], facts: dict[str, Any]) -> tuple[Away | None, Tensor]:
    if "led" not in facts:
        return None, torch.empty(0)
    led = Away(kept["led"].to(stream.model.device), float(facts["led"]))
    now = stream._away
    same = now is not None and now.scale == led.scale and torch.equal(now.words, led.words)
    return now if same else led, kept["anchor"].to(stream.model.device)


def _resting(model: VideoModel, kept: dict[str, Tensor], facts: dict[str, Any]) -> Resting | None:
    if model.skip <= 0 or "age" not in facts:
        return None
    rest = Resting(kept["rest.made"].numpy(), model.side, model.skip)
    for name in RESTING:
        setattr(rest, name, kept[f"rest.{name}"].numpy())
    rest.age = int(facts["age"])
    return rest
