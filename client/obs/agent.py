"""Another look for each scene of OBS: `python -m reverie.client.obs.agent --scene Talk=watercolour --scene Game=comic`.

Speaks obs-websocket 5 (Tools > WebSocket Server Settings in OBS 28 or newer): rpcVersion 1, hello, identify, events.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from reverie.client.errors import ReverieError
from reverie.client.remote import Remote

HELLO, IDENTIFY, IDENTIFIED, EVENT, REQUEST, RESPONSE = 0, 1, 2, 5, 6, 7  # op codes
SCENES = 1 << 2  # of the event subscriptions
AGAIN_S = 3.0


def proof(password: str, salt: str, challenge: str) -> str:
    """The answer to obs-websocket's challenge: base64 of SHA-256, twice."""
    digest = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return digest(digest(password + salt) + challenge)


async def scenes(url: str, password: str = "") -> AsyncIterator[str]:
    """The scene that is on air, then each that comes on air, until OBS goes.

    Raises: PermissionError if the password is wrong or missing; OSError, WebSocketException if OBS cannot be reached.
    """
    async with connect(url, subprotocols=["obswebsocket.json"], open_timeout=5) as socket:  # type: ignore[list-item]
        await _identify(socket, password)
        await _say(socket, REQUEST, {"requestType": "GetCurrentProgramScene", "requestId": "scene"})
        async for text in socket:
            message = json.loads(text)
            op, data = message["op"], message["d"]
            if op == RESPONSE and data["requestId"] == "scene" and data["requestStatus"]["result"]:
                yield data["responseData"]["currentProgramSceneName"]
            elif op == EVENT and data["eventType"] == "CurrentProgramSceneChanged":
                yield data["eventData"]["sceneName"]


async def _identify(socket: ClientConnection, password: str) -> None:
    hello = json.loads(await socket.recv())["d"]
    fields: dict[str, Any] = {"rpcVersion": 1, "eventSubscriptions": SCENES}
    if (asked := hello.get("authentication")) is not None:
        fields["authentication"] = proof(password, asked["salt"], asked["challenge"])
    await _say(socket, IDENTIFY, fields)
    try:
        if json.loads(await socket.recv())["op"] != IDENTIFIED:
            raise PermissionError("OBS did not accept the connection")
    except ConnectionClosed as closed:
        reason = closed.rcvd.reason if closed.rcvd else ""
        raise PermissionError(f"OBS refused: {reason or 'wrong password'}") from None


async def _say(socket: ClientConnection, op: int, data: object) -> None:
    await socket.send(json.dumps({"op": op, "d": data}))


async def follow(url: str, password: str, looks: Mapping[str, str], remote: Remote, transition_s: float) -> None:
    """For ever: the look of the scene on air; scenes without one change nothing.  Raises: PermissionError."""
    while True:
        try:
            async for scene in scenes(url, password):
                if (prompt := looks.get(scene)) is not None:
                    await _wear(remote, scene, prompt, transition_s)
        except (OSError, WebSocketException) as error:
            if isinstance(error, PermissionError):
                raise
            print(f"OBS cannot be reached at {url}: {error}; trying again", file=sys.stderr)
        await asyncio.sleep(AGAIN_S)


async def _wear(remote: Remote, scene: str, prompt: str, transition_s: float) -> None:
    try:
        await remote.wear(prompt, transition_s=transition_s)
        print(f"{scene}: {prompt or 'camera'}", flush=True)
    except ReverieError as refusal:
        print(f"{scene}: {refusal}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", action="append", required=True, metavar="NAME=LOOK", help="no look is the camera")
    parser.add_argument("--obs", default="ws://127.0.0.1:4455")
    parser.add_argument("--password", default="", help="of obs-websocket")
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--session", default="newest")
    parser.add_argument("--api-key", default="")
    parser.add_argument("--transition", type=float, default=0.5, help="seconds from look to look")
    asked = parser.parse_args()
    if bad := [each for each in asked.scene if "=" not in each]:
        parser.error(f"--scene takes NAME=LOOK, got {bad[0]!r}")
    looks = dict(each.split("=", 1) for each in asked.scene)
    remote = Remote(asked.server, asked.session, asked.api_key)
    try:
        asyncio.run(follow(asked.obs, asked.password, looks, remote, asked.transition))
    except PermissionError as refusal:
        sys.exit(str(refusal))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
