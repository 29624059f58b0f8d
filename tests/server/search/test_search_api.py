from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import av
import cv2
import numpy as np
import pytest

from reverie.models.search import classifier


def refused(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(url, body, {"content-type": "application/json"}, method=method), timeout=60)
    with caught.value as error:
        return error.code, str(json.load(error)["error"])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("?q=a&limit=0", "limit"),
        ("?q=a&mode=magic", "mode must be one of"),
        ("?q=a&side=left", "side must be source or output"),
        ("?q=a&after=yesterday", "after"),
        ("", "what to look for"),
    ],
)
def test_bad_questions_are_answered_with_a_sentence(server, path: str, words: str) -> None:  # type: ignore[no-untyped-def]
    code, text = refused(f"{server.url}/v1/search{path}")
    assert code == 400 and words in text


def test_what_is_not_there_is_404(server) -> None:  # type: ignore[no-untyped-def]
    assert refused(f"{server.url}/v1/search?like=nothing")[0] == 404
    assert refused(f"{server.url}/v1/moments/nothing/source/0.webp")[0] == 404
    assert refused(f"{server.url}/v1/sessions/nothing/index", "PUT", b'{"on": true}')[0] == 404
    assert refused(f"{server.url}/v1/moments?session=", "DELETE")[0] == 400


@pytest.mark.skipif(not classifier.is_here(), reason="EfficientNet-Lite0 is not installed")
def test_a_picture_can_be_asked_with_and_what_is_none_is_refused(server) -> None:  # type: ignore[no-untyped-def]
    picture = cv2.imencode(".png", np.full((40, 60, 3), 128, np.uint8))[1].tobytes()
    with urlopen(Request(f"{server.url}/v1/search?limit=3", picture, method="POST"), timeout=60) as answer:
        assert set(json.load(answer)) == {"hits", "index"}
    code, text = refused(f"{server.url}/v1/search", "POST", b"no picture")
    assert code == 400 and "none of" in text
    code, text = refused(f"{server.url}/v1/search", "POST", picture[:40])
    assert code == 400 and "none of PNG" in text


@pytest.mark.skipif(not classifier.is_here(), reason="EfficientNet-Lite0 is not installed")
def test_a_clip_of_more_than_a_megabyte_can_be_asked_with(server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.bit_rate = 640, 480, 20_000_000  # type: ignore[attr-defined]
        for n in range(12):
            noise = np.random.default_rng(n).integers(0, 256, (480, 640, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))  # type: ignore[attr-defined]
        container.mux(stream.encode(None))  # type: ignore[attr-defined]
    assert path.stat().st_size > 1_000_000
    with urlopen(Request(f"{server.url}/v1/search?limit=3", path.read_bytes(), method="POST"), timeout=120) as answer:
        assert set(json.load(answer)) == {"hits", "index"}
