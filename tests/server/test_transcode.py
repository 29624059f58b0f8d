"""Every picture painted anew; an error leaves no open file."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reverie.server.transcode import transcode
from reverie.server.video import Reader


def test_each_picture_is_painted_once_and_in_order(make_clip: Any, tmp_path: Path) -> None:
    seen: list[np.ndarray] = []
    transcode(Reader(make_clip("in.mp4")), tmp_path / "out.mp4", ".mp4", lambda each: seen.append(each) or 255 - each)
    with av.open(str(tmp_path / "out.mp4")) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(seen) == len(shown) == 12
    for before, after in zip(seen, shown, strict=True):
        assert np.abs(255.0 - before - after).mean() < 12


def test_what_paint_raises_comes_through(make_clip: Any, tmp_path: Path) -> None:
    def stop(picture: np.ndarray) -> np.ndarray:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        transcode(Reader(make_clip("in.mp4")), tmp_path / "out.mp4", ".mp4", stop)
