"""One source of sound, many listeners."""

import asyncio

import av
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.server.sound import BACKLOG, Sound


class Beeps(MediaStreamTrack):
    kind = "audio"

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.left = frames

    async def recv(self) -> av.AudioFrame:
        if not self.left:
            raise MediaStreamError
        self.left -= 1
        frame = av.AudioFrame("s16", "mono", 960)
        frame.pts = self.left
        return frame


async def test_every_listener_gets_every_frame_and_one_that_left_none() -> None:
    sound = Sound()
    ears = [sound.listen() for _ in range(3)]
    ears[2].stop()
    await sound.feed(Beeps(3))
    assert [[(await ear.recv()).pts for _ in range(3)] for ear in ears[:2]] == [[2, 1, 0]] * 2
    with pytest.raises(MediaStreamError):
        await ears[2].recv()


async def test_a_listener_that_sleeps_loses_the_oldest() -> None:
    sound = Sound()
    ear = sound.listen()
    await sound.feed(Beeps(BACKLOG + 10))
    assert (await ear.recv()).pts == BACKLOG - 1


async def test_closing_ends_who_waits() -> None:
    sound = Sound()
    waiting = asyncio.create_task(sound.listen().recv())
    await asyncio.sleep(0)
    sound.close()
    with pytest.raises(MediaStreamError):
        await waiting
