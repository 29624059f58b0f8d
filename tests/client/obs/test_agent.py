"""Scenes of a real OBS choose looks."""

import asyncio
import contextlib
from typing import Any

import numpy as np
import pytest
from rig.obs import PASSWORD

from reverie.client import Frames, connect
from reverie.client.obs.agent import follow, proof, scenes
from reverie.client.remote import Remote


def test_the_proof_is_that_of_the_protocols_document() -> None:
    salt, challenge = "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=", "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY="
    assert proof("supersecretpassword", salt, challenge) == "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4="


async def test_a_wrong_password_is_told(obs: Any) -> None:
    with pytest.raises(PermissionError, match="OBS refused"):
        async for _ in scenes(obs.url, "wrong"):
            pass


async def test_the_scene_on_air_chooses_the_look(obs: Any, toy: Any) -> None:
    async with connect(toy.url, Frames([np.zeros((64, 64, 3), np.uint8)] * 3000)):
        remote = Remote(toy.url)
        following = asyncio.create_task(follow(obs.url, PASSWORD, {"Talk": "red", "Game": "blue"}, remote, 0.0))
        for scene, look in (("Talk", "red"), ("Game", "blue"), ("Talk", "red")):
            await obs.ask("SetCurrentProgramScene", sceneName=scene)
            async with asyncio.timeout(30):
                while (await remote.state())["prompt"] != look:
                    await asyncio.sleep(0.05)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
