"""A video file, played live through Reverie and recorded: file.py IN OUT.mp4 [PROMPT] [URL].

Live means that frames the server has no time for are left out; `reverie restyle` keeps every one.
"""

import asyncio
import sys

import av

from reverie.client import File, connect


async def main(source: str, to: str, prompt: str = "ink wash", url: str = "http://127.0.0.1:8080") -> int:
    shown = 0
    with av.open(to, "w") as container:
        stream = None
        async with connect(url, File(source), prompt) as session:
            async for frame in session:
                if stream is None:
                    stream = container.add_stream("libx264", rate=30)
                    stream.width, stream.height = frame.video.width, frame.video.height
                    stream.codec_context.time_base, stream.pix_fmt = frame.video.time_base, "yuv420p"
                    first = frame.video.pts
                frame.video.pts -= first
                container.mux(stream.encode(frame.video))
                shown += 1
        if stream is not None:
            container.mux(stream.encode(None))
    return shown


if __name__ == "__main__":
    print(asyncio.run(main(*sys.argv[1:])), "frames")
