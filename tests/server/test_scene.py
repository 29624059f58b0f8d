"""The note of what a session's camera shows: measured anew, a sentence when the scene is another."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import urlopen

import av
import numpy as np
import pytest

from reverie.models.toy import ToyModel
from reverie.server.metrics import Metrics
from reverie.server.scene import Scene

INVERTED = (55, 195, 195)


def frame(*colour: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((64, 96, 3), colour, np.uint8), format="rgb24")


@pytest.fixture
def words() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


async def test_a_note_says_what_the_newest_picture_shows(words: ThreadPoolExecutor) -> None:
    metrics = Metrics()
    scene = Scene(ToyModel(), words, metrics)
    await scene.look(None)
    assert scene.note == "" and scene.fitted("neon") == "neon" and scene.notes == 0
    scene.camera(frame(200, 30, 30))
    scene.camera(frame(10, 10, 10))
    await scene.look(None)
    assert scene.note.startswith("very dark light") and "mostly black" in scene.note
    assert scene.fitted("neon") == "neon, bright"
    scene.camera(frame(200, 120, 60))
    await scene.look(None)
    assert scene.notes == 2 and "lively movement" in scene.note
    assert scene.sentence == "I see very dark light"  # the next one may be told after ten seconds


async def test_the_llm_is_not_asked_twice_about_the_same_scene(words: ThreadPoolExecutor) -> None:
    class Counting(ToyModel):
        asked = 0

        def narrate(self, words: Sequence[str]) -> Iterator[str]:
            self.asked += 1
            yield "a room"

    model = Counting()
    scene = Scene(model, words, Metrics())
    for _ in range(3):
        scene.camera(frame(120, 120, 120))
        scene._told_at = -100.0
        await scene.look(None)
    assert (model.asked, scene.notes, scene.sentence) == (1, 3, "a room")


@pytest.mark.parametrize(("busy", "notes"), [(False, 2), (True, 1)])
async def test_a_device_without_time_to_spare_is_asked_for_sentences_seldom(
    words: ThreadPoolExecutor, busy: bool, notes: int
) -> None:
    class Counting(ToyModel):
        asked = 0

        def narrate(self, words: Sequence[str]) -> Iterator[str]:
            self.asked += 1
            yield "a room"

    model = Counting()
    scene = Scene(model, words, Metrics(), lambda: busy)
    for light in (200, 10):
        scene.camera(frame(light, light, light))
        await scene.look(None)
        scene._told_at -= 20
    assert model.asked == notes


async def test_a_live_session_has_a_note_and_the_words_of_the_llm_are_counted(server: Any, call: Any) -> None:
    before = server.metrics().get("llm_tokens_total", 0)
    async with call("invert") as client:
        await client.sees(INVERTED)
        for _ in range(600):
            with urlopen(f"{server.url}/v1/sessions/newest", timeout=30) as answer:
                found = json.load(answer)
            if found["sentence"]:
                break
            await asyncio.sleep(0.05)
        assert "red" in found["scene"] and found["sentence"].startswith("I see ")
    assert server.metrics()["llm_tokens_total"] > before
