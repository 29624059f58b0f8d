"""What a model does when memory runs out in a step.  Emulated: a part of it raises what torch raises."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reverie.models.diffusion.network import load
from reverie.models.diffusion.smaller import Smaller, resized


def clip(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 96, 3), np.uint8)


def test_pictures_become_smaller_until_it_fits_and_keep_their_size_for_who_asked() -> None:
    smaller, seen, forgotten = Smaller("some"), [], []

    def make(frames: np.ndarray) -> np.ndarray:
        seen.append(frames.shape[1:3])
        if frames.shape[1] > 16:
            raise MemoryError
        return frames

    assert smaller.said == "" and smaller.counts() == {"memory_shortages": 0}
    assert smaller.paint(clip(2), make, lambda: forgotten.append(1)).shape == (2, 64, 96, 3)
    assert seen == [(64, 96), (32, 48), (16, 16)] and len(forgotten) == 2
    assert smaller.said == "at 1/4 of its sides: memory ran out" and smaller.counts() == {"memory_shortages": 2}
    frames = clip(1)
    assert resized(frames, 64, 96) is frames


def test_other_faults_are_handed_on_and_leave_the_size() -> None:
    smaller, forgotten = Smaller("some"), []
    with pytest.raises(RuntimeError, match="sizes differ"):
        smaller.paint(clip(1), lambda frames: fail(RuntimeError("sizes differ")), lambda: forgotten.append(1))
    assert smaller.by == 1 and forgotten
    with pytest.raises(RuntimeError, match="a quarter of the picture's sides"):
        smaller.paint(clip(1), lambda frames: fail(torch.OutOfMemoryError("emulated")), lambda: None)


def fail(error: Exception) -> np.ndarray:
    raise error


@pytest.mark.parametrize(("kind", "part"), [("wan", "velocity"), ("lucy", "velocity"), ("klein", "predict")])
def test_video_and_edit_models_recover_in_the_middle_of_a_stream(
    kind: str, part: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue(kind)
    model, frames = load(folder, "cpu", skip=4.0), clip(20)
    one, other = model.stream(), model.stream()
    for stream in (one, other):
        stream.start("fox", seed=1)
        stream.step(frames[:3])
    whole, calls = getattr(model, part), []

    def short(x: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        calls.append(x.shape)
        if len(calls) == 2:  # the first call of the step went well
            raise torch.OutOfMemoryError("emulated")
        answer: torch.Tensor = whole(x, *rest, **more)
        return answer

    monkeypatch.setattr(model, part, short)
    assert one.step(frames[3:]).shape == (17, 64, 96, 3)
    assert len(calls) > 2 and model.limited == "at 1/2 of its sides: memory ran out"
    assert model.counts() == {"memory_shortages": 1}
    fresh = model.stream()
    fresh.start("fox", seed=1)
    small = fresh.step(frames[3:])  # what a stream paints that began after it
    assert np.array_equal(other.step(frames[3:]), small)
    monkeypatch.setattr(model, part, lambda *_, **__: fail(torch.OutOfMemoryError("emulated")))
    with pytest.raises(RuntimeError, match="a quarter of the picture's sides"):
        one.step(frames[::-1])
    monkeypatch.setattr(model, part, whole)
    assert one.step(frames[:2]).shape == (2, 64, 96, 3)  # and goes on once there is room again
