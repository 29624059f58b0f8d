from typing import Any

import numpy as np
import pytest

from reverie.client import Frames


async def test_frames_reach_the_window_until_q(node: Any, example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No screen here: only the two calls of OpenCV that need one are replaced."""
    webcam, shown = example("webcam"), []
    monkeypatch.setattr(webcam, "Camera", lambda n: Frames([np.full((240, 320, 3), 200, np.uint8)] * 300))
    monkeypatch.setattr(webcam.cv2, "imshow", lambda title, picture: shown.append((title, picture.shape)))
    monkeypatch.setattr(webcam.cv2, "waitKey", lambda ms: ord("q") if len(shown) == 5 else -1)
    await webcam.main(node.url, "red")
    assert shown == [("red", (240, 320, 3))] * 5
