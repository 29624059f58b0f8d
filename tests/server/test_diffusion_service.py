"""The whole service with a tiny diffusion model of random weights: same path as a real one."""

import asyncio
import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

HELPERS = Path(__file__).parents[1] / "models" / "diffusion" / "conftest.py"


async def test_a_session_is_styled_by_a_diffusers_folder(tmp_path: Path, call_at) -> None:  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("tiny_diffusion", HELPERS)
    assert spec and spec.loader
    helpers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(helpers)
    folder = helpers.save(tmp_path / "tiny-turbo", "EulerDiscreteScheduler")
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0", "--model", str(folder)]
    environment = {**os.environ, "REVERIE_DATA": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            said = re.search(r"http://\S+", process.stdout.readline())
            assert said
            deadline = time.monotonic() + 120
            while True:
                try:
                    if await asyncio.to_thread(lambda: urlopen(f"{said[0]}/readyz", timeout=5).status) == 200:
                        break
                except OSError as error:
                    assert time.monotonic() < deadline, error
                    await asyncio.sleep(0.2)
            async with call_at(said[0], "a marble statue") as client:
                await client.until(lambda: client.heard("generation_started"), 30)
                await client.until(lambda: client.heard("status", state="styled"), 30)
        finally:
            process.terminate()
            process.communicate(timeout=20)
