"""The whole service with tiny diffusion models of random weights: same path as real ones."""

import asyncio
import base64
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
import torch
import uvicorn

from reverie.server.app import make
from reverie.server.settings import Settings

HELPERS = Path(__file__).parents[1] / "models" / "diffusion" / "conftest.py"
PNG = base64.b64encode(cv2.imencode(".png", np.full((32, 32, 3), 90, np.uint8))[1].tobytes()).decode()
STAYS = "the look stays as it was"
KINDS = "sdxl-turbo", "sdxs", "lcm", "lcm-lora-sd", "lcm-lora-sdxl"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny_diffusion", HELPERS)
    assert spec and spec.loader
    helpers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(helpers)
    return helpers


async def ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if await asyncio.to_thread(lambda: urlopen(f"{url}/readyz", timeout=5).status) == 200:
                return
        except OSError as error:
            assert time.monotonic() < deadline, error
            await asyncio.sleep(0.1)


@asynccontextmanager
async def served(model: Path, data: Path) -> AsyncIterator[str]:
    """The service of a model, in this process."""
    config = uvicorn.Config(make(Settings(model=str(model), data=str(data))), port=0, log_level="error")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.05)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        await ready(url)
        yield url
    finally:
        server.should_exit = True
        await running


async def test_a_session_is_styled_by_a_diffusers_folder(tiny: ModuleType, tmp_path: Path, call_at) -> None:  # type: ignore[no-untyped-def]
    folder = tiny.save(tmp_path / "tiny-turbo", "EulerDiscreteScheduler")
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0", "--model", str(folder)]
    environment = {**os.environ, "REVERIE_DATA": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            said = re.search(r"http://\S+", process.stdout.readline())
            assert said
            await ready(said[0])
            async with call_at(said[0], "a marble statue") as client:
                await client.until(lambda: client.heard("generation_started"), 30)
                await client.until(lambda: client.heard("status", state="styled"), 30)
        finally:
            process.terminate()
            process.communicate(timeout=20)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers' schedulers
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_image_model_serves(tiny: ModuleType, kind: str, tmp_path: Path, call_at) -> None:  # type: ignore[no-untyped-def]
    folder = tiny.save(tmp_path / f"tiny-{kind}", **tiny.KINDS[kind])
    async with served(folder, tmp_path) as url, call_at(url, "a marble statue") as client:
        await client.until(lambda: client.heard("status", state="styled"), 60)


@pytest.mark.parametrize("kind", ["wan", "lucy", "klein"])
async def test_a_video_or_edit_model_serves(tiny: ModuleType, kind: str, tmp_path: Path, call_at) -> None:  # type: ignore[no-untyped-def]
    save = tiny.save_klein if kind == "klein" else tiny.save_wan
    folder = save(tmp_path / f"tiny-{kind}", **({"lucy": True} if kind == "lucy" else {}))
    async with served(folder, tmp_path) as url, call_at(url, "rainy Tokyo") as client:
        await client.until(lambda: client.heard("status", state="styled"), 60)
        await client.until(lambda: len(client.seen) > 3, 60)
        for prompt, taken, missing in (
            ("owl --no blur", kind != "klein", "no negative prompts (--no) and no --guidance"),
            ("owl <control:edges:1> --steady 0.2", False, "no <control:...> and no --steady"),
        ):
            await client.say(type="prompt", prompt=prompt)
            refused = {} if taken else {"error_type": "bad_request", "error": f"tiny-{kind} takes {missing}; {STAYS}"}
            await client.until(
                lambda p=prompt, t=taken, r=refused: client.heard("prompt_ack", success=t, prompt=p, **r), 60
            )
        await client.say(type="set_image", image_data=PNG, prompt="owl")
        refused = {} if kind == "klein" else {
            "error_type": "bad_request", "error": f"tiny-{kind} takes no reference pictures; say in words what they show"
        }  # fmt: skip
        await client.until(lambda: client.heard("set_image_ack", success=kind == "klein", **refused), 60)
        count = len(client.seen)
        await client.until(lambda: len(client.seen) > count, 60)  # the look stays and goes on
        assert client.told[-1]["type"] != "error"


async def test_loras_controls_pictures_and_blends_are_asked_for_in_words(
    tiny: ModuleType,
    tmp_path: Path,
    call_at,  # type: ignore[no-untyped-def]
) -> None:
    from diffusers import UNet2DConditionModel

    folder = tiny.save(tmp_path / "tiny-turbo", "EulerDiscreteScheduler")
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    tiny.add_lora(folder, "ink", unet)
    tiny.add_control(folder, "edges")
    tiny.add_adapter(folder, unet)
    async with served(folder, tmp_path) as url, call_at(url, "fox <lora:ink:0.8> <control:edges:0.5>") as client:
        await client.until(lambda: client.heard("status", state="styled"), 60)
        await client.say(type="prompt", prompt="owl <lora:oil> --no blur")
        await client.until(lambda: client.heard("prompt_ack", success=False), 30)
        assert "no LoRA 'oil'" in str(client.told)
        await client.say(type="prompt", prompt="owl --no blur --steady 0.3", transition_s=0.5)
        await client.until(lambda: client.heard("prompt_ack", success=True, prompt="owl --no blur --steady 0.3"), 30)
        await client.say(type="set_image", image_data=PNG)
        await client.until(lambda: client.heard("set_image_ack", success=True), 30)
        count = len(client.seen)
        await client.until(lambda: len(client.seen) > count + 5, 60)
        assert client.told[-1]["type"] != "error"
