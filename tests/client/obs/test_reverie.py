"""The script in a real OBS 29 (Debian's, no screen).  It has no browser source: its media source shows our stream."""

import asyncio
import base64
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from reverie.client import Frames, connect
from reverie.client.remote import Remote

CAMERA, INVERTED = (200, 60, 60), (55, 195, 195)


async def until(check: Any, wanted: Any, limit_s: float = 20.0) -> None:
    deadline = asyncio.get_running_loop().time() + limit_s
    while (found := await check()) != wanted:
        assert asyncio.get_running_loop().time() < deadline, (found, wanted)
        await asyncio.sleep(0.1)


async def test_hotkeys_change_the_look_and_the_media_source_shows_it(obs: Any, toy: Any) -> None:
    async def press(name: str) -> None:
        await obs.ask("TriggerHotkeyByName", hotkeyName=f"reverie.{name}")

    async def prompt() -> str:
        return str((await Remote(toy.url).state())["prompt"])

    async def shows() -> Any:
        try:
            taken = await obs.ask("GetSourceScreenshot", sourceName="Reverie", imageFormat="png")
        except RuntimeError as nothing_yet:
            return str(nothing_yet)
        picture = np.array(Image.open(BytesIO(base64.b64decode(taken["imageData"].split(",")[1]))).convert("RGB"))
        middle = picture[100:140, 140:180].mean((0, 1))
        known = (("camera", CAMERA), ("inverted", INVERTED))
        return next((name for name, colour in known if np.abs(middle - colour).max() < 30), str(middle))

    async with connect(toy.url, Frames([np.full((240, 320, 3), CAMERA, np.uint8)] * 3000)):
        await press("add_source")
        await press("add_status")
        await until(lambda: _items(obs), {"Reverie": True, "Reverie status": True})
        await until(shows, "camera")
        await press("next")
        await until(prompt, "invert")
        await until(shows, "inverted")
        await press("previous")
        await until(prompt, "blue")
        await press("random")
        await until(lambda: _differs(prompt, "blue"), True)
        await press("camera")
        await until(prompt, "")
        await press("panic")
        await until(lambda: _items(obs), {"Reverie": False, "Reverie status": True})
        text = lambda: _text(obs)
        await until(text, "camera (passthrough)")


async def _differs(what: Any, from_: str) -> bool:
    return await what() not in ("", from_)


async def _text(obs: Any) -> str:
    return str((await obs.ask("GetInputSettings", inputName="Reverie status"))["inputSettings"]["text"])


async def _items(obs: Any) -> dict[str, bool]:
    listed = (await obs.ask("GetSceneItemList", sceneName="Talk"))["sceneItems"]
    return {each["sourceName"]: each["sceneItemEnabled"] for each in listed}
