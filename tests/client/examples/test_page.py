from typing import Any

import cv2
import numpy as np
import pytest

from reverie.client import Frames


async def test_the_page_is_a_stream_of_pictures(node: Any, example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = example("page")
    monkeypatch.setattr(page, "URL", node.url)
    monkeypatch.setattr(page, "SOURCE", Frames([np.full((240, 320, 3), 200, np.uint8)] * 300))
    parts = page.jpegs("red")
    part = await anext(parts)
    await parts.aclose()
    head, _, jpeg = part.partition(b"\r\n\r\n")
    assert b"image/jpeg" in head
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)
