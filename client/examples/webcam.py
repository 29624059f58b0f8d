"""Your camera, restyled, in a window.  Needs opencv-python (not the headless one).  q ends it."""

import asyncio
import sys

import cv2

from reverie.client import Camera, connect


async def main(url: str = "http://127.0.0.1:8080", prompt: str = "watercolour") -> None:
    async with connect(url, Camera(0), prompt) as session:
        async for frame in session:
            cv2.imshow(prompt, cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
            if cv2.waitKey(1) == ord("q"):
                return


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
