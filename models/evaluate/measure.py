"""All figures of one look on clips with people: what the weights make of them, beside their teacher and the source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reverie.models import nano, nano_kernel
from reverie.models.evaluate import steady
from reverie.models.evaluate.faces import Faces, kept
from reverie.models.evaluate.recognise import Recogniser
from reverie.models.nano import noise
from reverie.models.train.looks import LOOKS, painted
from reverie.models.train.looks.scene import Wish
from reverie.models.train.looks.scene import frames as scene_of
from reverie.models.train.perceptual import Perceptual

Clip = NDArray[np.uint8]  # (T, H, W, 3) RGB
NOISE = 3.0  # levels of 255: a good webcam in a lit room
RESTING = 5  # frames of a still scene; the first is left out of its flicker
TRIES = 5
STRENGTHS = 0.0, 0.25, 0.5, 0.75, 1.0
ANIMATED = frozenset({"vhs", "super8", "night_rain"})  # move by themselves: their flicker is a figure, not a fault


@dataclass(frozen=True, slots=True)
class Tools:
    """What measures; made once."""

    model: nano_kernel.Nano
    exact: nano.Nano  # the same weights in float32
    faces: Faces
    recogniser: Recogniser
    perceptual: Perceptual


def styled(model: nano_kernel.Nano | nano.Nano, clip: Clip, prompt: str, strength: float = 1.0) -> Clip:
    """What the weights make of a clip.  Where a machine stands still for seconds a launch may fail: then once more."""
    for left in reversed(range(TRIES)):
        stream = model.stream()
        stream.start(prompt, 0, strength)
        try:
            return stream.step(clip)
        except RuntimeError:
            if not left:
                raise
    raise AssertionError


def taught(look: str, clip: Clip) -> Clip:
    """What the teacher makes of a clip, with the noise of seed 0."""
    scene = scene_of(clip, noise(0, *clip.shape[1:3]).numpy()[0])
    return np.stack([painted(LOOKS[look], frame, Wish()) for frame in scene])


def look_figures(
    tools: Tools, look: str, seen: str, unseen: Sequence[str], clips: Sequence[Clip]
) -> tuple[dict[str, Any], list[Clip]]:
    """Figures of a look, and what was shown of each clip.

    Args: seen: a phrase that was trained on.  unseen: phrases that were not.  clips: the first shows a face.
    """
    shown = [styled(tools.model, clip, seen) for clip in clips]
    teacher = [taught(look, clip) for clip in clips]
    other = [styled(tools.model, clips[0][:1], phrase) for phrase in unseen]
    row: dict[str, Any] = {
        "recognised": _mean(tools.recogniser.share(clip, look) for clip in shown),
        "recognised_unseen": _mean(tools.recogniser.share(clip, look) for clip in other),
        "teacher_recognised": _mean(tools.recogniser.share(clip, look) for clip in teacher),
        "psnr_db": _mean(steady.decibels(*pair) for pair in zip(shown, teacher, strict=True)),
        "source_psnr_db": _mean(steady.decibels(*pair) for pair in zip(clips, teacher, strict=True)),
        "unseen_psnr_db": _mean(steady.decibels(clip, teacher[0][:1]) for clip in other),
        "seen_psnr_db": steady.decibels(shown[0][:1], teacher[0][:1]),
        "perceptual": _mean(_distance(tools.perceptual, *pair) for pair in zip(shown, teacher, strict=True)),
        "sharpness": _mean(steady.gradient(a) / steady.gradient(b) for a, b in zip(shown, teacher, strict=True)),
    }
    row |= _steadiness(tools, look, seen, clips, shown, teacher) | _faces(tools, clips, shown)
    row |= _response(tools, seen, clips, teacher)
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}, shown


def _steadiness(
    tools: Tools, look: str, prompt: str, clips: Sequence[Clip], shown: Sequence[Clip], teacher: Sequence[Clip]
) -> dict[str, Any]:
    clip, still = clips[0], np.repeat(clips[0][:1], RESTING, 0)
    flow = steady.flows(clip)
    error = {name: steady.warp_error(each, flow) for name, each in
             (("shown", shown[0]), ("teacher", teacher[0]), ("source", clip))}  # fmt: skip
    grain = steady.noisy(clip[0], RESTING, NOISE)
    resting = styled(tools.model, still, prompt)
    cut = styled(tools.model, np.concatenate((clips[-1][:2], clip[:4])), prompt)[2:]
    return {
        "warp_error": error["shown"],
        "warp_error_by_teacher": error["shown"] / max(error["teacher"], 0.05),
        "warp_error_by_source_and_gradient": (error["shown"] / steady.gradient(shown[0]))
        / (error["source"] / steady.gradient(clip)),
        "still_flicker": steady.flicker(resting[1:]),
        "noisy_flicker": steady.flicker(styled(tools.model, grain, prompt)[1:]),
        "noise_of_input": steady.flicker(grain[1:]),
        "animated": look in ANIMATED,
        "cut_recovered_frames": steady.recovered(cut, shown[0][:4]),
    }


def _faces(tools: Tools, clips: Sequence[Clip], shown: Sequence[Clip]) -> dict[str, Any]:
    found = kept(tools.faces, list(np.concatenate(clips)), list(np.concatenate(shown)))
    return {"faces_kept": found[0], "landmark_error": found[1]} if found else {}


def _response(tools: Tools, prompt: str, clips: Sequence[Clip], teacher: Sequence[Clip]) -> dict[str, Any]:
    """How strength acts, and what bytes cost against float32."""
    frame = clips[0][:1]
    away = [float(np.abs(styled(tools.model, frame, prompt, s).astype(float) - frame).mean()) for s in STRENGTHS]
    exact = styled(tools.exact, frame, prompt)
    return {
        "strength_monotone": bool(np.all(np.diff(away) >= 0)) and away[0] == 0,
        "float32_gain_db": steady.decibels(exact, teacher[0][:1])
        - steady.decibels(styled(tools.model, frame, prompt), teacher[0][:1]),
    }


def drift(tools: Tools, look: str, prompt: str, clip: Clip, frames: int) -> dict[str, float]:
    """A clip played over and over: how colours and recognition of its last playing differ from its second.

    Args: frames: in all; at least three playings are made.
    """
    stream = tools.model.stream()
    stream.start(prompt, 0)
    stream.step(clip)
    early = late = stream.step(clip)
    for _ in range(max(1, frames // len(clip) - 2)):
        late = stream.step(clip)
    shift = np.abs(steady.colours(late) - steady.colours(early)).max()
    share = [tools.recogniser.share(each, look) for each in (early, late)]
    return {"colour": round(float(shift), 4), "recognition": round(share[0] - share[1], 4)}


def _distance(perceptual: Perceptual, shown: Clip, teacher: Clip) -> float:
    """VGG features' distance of the last frames, in place and of their Gram matrices, mean of both."""
    pair = (torch.from_numpy(clip[-1:].copy()).permute(0, 3, 1, 2).float() / 127.5 - 1 for clip in (shown, teacher))
    with torch.inference_mode():
        return float(sum(perceptual(*pair)) / 2)


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


def so_far(path: Path, of: dict[str, Any]) -> dict[str, Any]:
    """Figures of looks that an earlier run left there, if it was of the same weights, teachers and options."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    return dict(found["looks"]) if found.get("of") == of else {}
