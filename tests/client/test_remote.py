"""Looks over HTTP, from a program."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rig.voice import speak

from reverie.client import BadRequest, ConnectionLost, Frames, connect
from reverie.client.remote import Remote
from reverie.server import speech


async def test_a_look_is_taken_on_and_refusals_have_the_servers_words(toy: Any) -> None:
    remote = Remote(toy.url)
    with pytest.raises(BadRequest, match="no such session") as none:
        await remote.wear("red")
    assert none.value.code == "no_session"
    async with connect(toy.url, Frames([np.zeros((64, 64, 3), np.uint8)] * 300), "invert"):
        await remote.wear("blue")
        assert (await remote.state())["prompt"] == "blue"
        with pytest.raises(BadRequest, match="10"):
            await remote.wear("red", transition_s=99)
        with pytest.raises(BadRequest, match="not indexed"):
            await remote.tell("hello")


@pytest.mark.skipif(not speech.is_here(), reason="the extra reverie[speech] is not installed")
async def test_a_look_may_be_said(toy: Any, tmp_path: Path) -> None:
    try:
        said = speak("a pencil sketch", tmp_path / "said.wav")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    remote = Remote(toy.url)
    async with connect(toy.url, Frames([np.zeros((64, 64, 3), np.uint8)] * 900), "red"):
        words = await remote.say(said.read_bytes())
        assert "pencil" in words.lower() and (await remote.state())["prompt"] == words


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ConnectionLost, match="cannot be reached"):
        await Remote("http://127.0.0.1:9").state()
