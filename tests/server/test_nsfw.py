"""The filter with its real network, on pictures that everybody may see: the threshold is what is moved."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reverie.models.toy import ToyModel
from reverie.server import nsfw
from reverie.server.access import LOCAL, Caller
from reverie.server.node import Node
from reverie.server.nsfw import Filter, Judge, mosaic, network
from reverie.server.settings import Settings


@pytest.fixture(scope="module")
def judge() -> Judge:
    try:
        return Judge()
    except ValueError as missing:
        pytest.skip(str(missing))


def frame_of(picture: np.ndarray, pts: int = 0) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 30)
    return frame


GREY = np.full((288, 512, 3), 128, np.uint8)
SKIN = np.full((288, 512, 3), (224, 172, 140), np.uint8)


def test_a_portrait_is_fit_for_all_and_skin_alone_is_less_so(judge: Judge, face_clip: Path) -> None:
    with av.open(str(face_clip)) as clip:
        portrait = judge.score(next(clip.decode(video=0)))
    assert portrait < 0.1 < judge.score(frame_of(SKIN)) < 0.4


async def passed(filter: Filter, picture: np.ndarray, hidden: bool) -> av.VideoFrame:
    """The first frame of a picture that comes through as it is wanted."""
    async with asyncio.timeout(60):
        for number in range(100_000):
            shown = filter.pass_on(frame_of(picture, number))
            assert shown.pts == number and (shown.width, shown.height) == (512, 288)
            if filter.hiding == hidden:
                return shown
            await asyncio.sleep(0.01)
    raise AssertionError


async def test_what_is_bad_is_hidden_until_it_is_good_for_a_while(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nsfw, "EVERY_S", 0.0)
    filter = Filter(judge, (judge.score(frame_of(SKIN)) + judge.score(frame_of(GREY))) / 2)
    assert filter.hiding and not filter.reason, "nobody has looked yet"
    skin_is_worse = judge.score(frame_of(SKIN)) > judge.score(frame_of(GREY))
    good, bad = (GREY, SKIN) if skin_is_worse else (SKIN, GREY)
    await passed(filter, good, hidden=False)
    await passed(filter, bad, hidden=True)
    assert "unfit for all" in filter.reason
    monkeypatch.setattr(nsfw, "SAFE_S", 0.0)
    await passed(filter, good, hidden=False)


async def test_a_network_that_fails_hides_everything(judge: Judge) -> None:
    filter = Filter(judge, 0.9)
    filter._looking = looking = asyncio.get_running_loop().create_future()
    filter.hiding = False
    looking.set_exception(ValueError("broken"))
    filter._decide(looking)
    assert filter._bad_at > 0


def test_a_mosaic_keeps_colours_and_loses_details() -> None:
    rows = np.arange(288)[:, None, None] // 8 % 2 * 200
    stripes = np.broadcast_to(rows, (288, 512, 3)).astype(np.uint8)
    hidden = mosaic(frame_of(stripes)).to_ndarray(format="rgb24")
    assert abs(hidden.mean() - stripes.mean()) < 8 and hidden.std() < 12


async def test_a_session_of_a_node_with_a_filter_says_that_it_hides(judge: Judge, tmp_path: Path) -> None:
    node = Node(Settings(model="toy", data=str(tmp_path), nsfw=0.000001))
    node.model = ToyModel()
    told: list[Any] = []
    with node.admit(Caller(LOCAL), "", told.append) as session:
        async with asyncio.timeout(60):
            for number in range(100_000):
                session.camera(frame_of(SKIN, number))
                if any(getattr(each, "state", "") == "hidden" for each in told):
                    break
                await asyncio.sleep(0.01)
        await session.close("disconnect")
    await node.close()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nsfw, "PACKAGE", "no-such-package-here")
    with pytest.raises(ValueError, match=r"pip install 'reverie\[nsfw\]'"):
        network()
