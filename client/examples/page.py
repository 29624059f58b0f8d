"""A page of your own that shows the restyled camera as motion JPEG.  Needs starlette and uvicorn: uvicorn page:app."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import cv2
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from reverie.client import Camera, connect

URL, SOURCE = "http://127.0.0.1:8080", Camera(0)


async def jpegs(prompt: str) -> AsyncIterator[bytes]:
    async with connect(URL, SOURCE, prompt) as session:
        async for frame in session:
            picture = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            data = (await asyncio.to_thread(cv2.imencode, ".jpg", picture))[1].tobytes()
            yield b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + data + b"\r\n"


async def live(request: Any) -> StreamingResponse:
    prompt = request.query_params.get("prompt", "comic book")
    return StreamingResponse(jpegs(prompt), media_type="multipart/x-mixed-replace; boundary=frame")


app = Starlette(routes=[Route("/", live)])
