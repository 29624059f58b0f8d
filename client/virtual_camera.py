"""A session as a camera of this computer, for Zoom, Discord and the like: `python -m reverie.client.virtual_camera`.

Needs the extra `virtualcam` and its driver: OBS's virtual camera on Windows and macOS, v4l2loopback on Linux.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import av
import numpy as np
from numpy.typing import NDArray

FPS = 30
Open = Callable[[int, int], Any]  # width, height -> what has send((H, W, 3) uint8 RGB) and close()


def address(server: str, session: str) -> str:
    """Of a session's picture as a transport stream."""
    return f"{server.rstrip('/')}/v1/sessions/{quote(session, safe='')}/live.ts"


def pictures(url: str, api_key: str = "") -> Iterator[NDArray[np.uint8]]:
    """(H, W, 3) RGB, until the session ends.  Raises: OSError, av.FFmpegError."""
    options = {"fflags": "nobuffer", "flags": "low_delay", "probesize": "65536", "analyzeduration": "200000"}
    if api_key:
        options["headers"] = f"X-API-KEY: {api_key}\r\n"
    with av.open(url, options=options) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def show(frames: Iterator[NDArray[np.uint8]], open_camera: Open) -> int:
    """Send pictures to a camera that is opened for the first one's size; how many."""
    camera, size, count = None, (0, 0), 0
    try:
        for picture in frames:
            height, width = picture.shape[:2]
            if camera is None:
                camera, size = open_camera(width, height), (width, height)
            if (width, height) != size:  # on a narrow link; a camera keeps its size
                frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(*size)
                picture = frame.to_ndarray().astype(np.uint8, copy=False)
            camera.send(picture)
            count += 1
    finally:
        if camera is not None:
            camera.close()
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--session", default="newest")
    parser.add_argument("--api-key", default="")
    asked = parser.parse_args()
    try:
        import pyvirtualcam
    except ImportError:
        sys.exit("the virtual camera needs an extra: pip install 'reverie[virtualcam]'")

    def camera(width: int, height: int) -> Any:
        made = pyvirtualcam.Camera(width, height, FPS)
        print(f"{made.device} shows {asked.session} at {width}x{height}", flush=True)
        return made

    try:
        show(pictures(address(asked.server, asked.session), asked.api_key), camera)
    except (RuntimeError, OSError, av.FFmpegError) as error:  # no driver; no such session
        sys.exit(str(error))


if __name__ == "__main__":
    main()
