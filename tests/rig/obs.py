"""A real OBS without a screen (Debian's, under Xvfb), driven through its own WebSocket server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from reverie.client.obs.agent import IDENTIFY, REQUEST, proof

START_S = 40
PASSWORD = "not a secret"
GLOBAL = """[General]
FirstRun=true
LastVersion=486539266
Pre19Defaults=false
InfoIncrement=100
[Basic]
Profile=Untitled
ProfileDir=Untitled
SceneCollection=Untitled
SceneCollectionFile=Untitled
ConfigOnNewProfile=false
[OBSWebSocket]
FirstLoad=false
ServerEnabled=true
ServerPort={port}
AlertsEnabled=false
AuthRequired=true
ServerPassword={password}
"""
PROFILE = "[General]\nName=Untitled\n[Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\nFPSCommon=30\n"


@dataclass(frozen=True)
class Obs:
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """One request of obs-websocket.  Raises RuntimeError with OBS's comment."""
        async with connect(self.url, max_size=2**24) as talk:
            hello = json.loads(await talk.recv())["d"]
            asked = hello["authentication"]
            fields_of_identify = {
                "rpcVersion": 1,
                "eventSubscriptions": 0,
                "authentication": proof(PASSWORD, asked["salt"], asked["challenge"]),
            }
            await talk.send(json.dumps({"op": IDENTIFY, "d": fields_of_identify}))
            await talk.recv()
            await talk.send(
                json.dumps({"op": REQUEST, "d": {"requestType": kind, "requestId": "1", "requestData": fields}})
            )
            answer = json.loads(await talk.recv())["d"]
        if not answer["requestStatus"]["result"]:
            raise RuntimeError(f"{kind}: {answer['requestStatus'].get('comment', answer['requestStatus']['code'])}")
        return dict(answer.get("responseData") or {})


def missing() -> str:
    """What of it is not installed; "" if all is."""
    return ", ".join(name for name in ("obs", "Xvfb") if not shutil.which(name))


@contextmanager
def running(home: Path, script: Path, settings: dict[str, Any]) -> Iterator[Obs]:
    """OBS with two scenes (Talk, Game) and one script.  Raises RuntimeError with its log if it does not come up."""
    port, config = _free_port(), home / ".config" / "obs-studio"
    (config / "basic" / "scenes").mkdir(parents=True)
    (config / "basic" / "profiles" / "Untitled").mkdir(parents=True)
    (config / "global.ini").write_text(GLOBAL.format(port=port, password=PASSWORD))
    (config / "basic" / "profiles" / "Untitled" / "basic.ini").write_text(PROFILE)
    scene = lambda name: {
        "id": "scene",
        "versioned_id": "scene",
        "name": name,
        "settings": {"items": [], "id_counter": 0, "custom_size": False},
    }
    collection = {
        "name": "Untitled", "current_scene": "Talk", "current_program_scene": "Talk", "scene_order": [{"name": "Talk"}, {"name": "Game"}],
        "sources": [scene("Talk"), scene("Game")], "modules": {"scripts-tool": [{"path": str(script), "settings": settings}]},
    }  # fmt: skip
    (config / "basic" / "scenes" / "Untitled.json").write_text(json.dumps(collection))
    display, log = f":{40_000 + os.getpid() % 20_000}", home / "obs.log"
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "DISPLAY": display,
                   "XDG_RUNTIME_DIR": str(home), "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1"}  # fmt: skip
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    screen = subprocess.Popen(["Xvfb", display, "-screen", "0", "1280x800x24", "-nolisten", "tcp"], **quiet)
    with log.open("w") as written:
        command = ["obs", "--multi", "--minimize-to-tray", "--collection", "Untitled", "--profile", "Untitled"]
        obs = subprocess.Popen(command, env=environment, stdout=written, stderr=written, start_new_session=True)
    try:
        _wait(port, obs, log)
        yield Obs(port, log)
    finally:
        for process in (obs, screen):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(port: int, obs: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            asyncio.run(Obs(port, log).ask("GetVersion"))
            return
        except (OSError, RuntimeError, EOFError, ValueError):
            pass
        if obs.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"OBS did not come up: {log.read_text(errors='replace')[-1500:]}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
