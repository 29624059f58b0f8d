"""Two looks mixed, then three seconds from the mix to one of them: blend.py VIDEO [URL]."""

import asyncio
import sys

from reverie.client import File, connect


async def main(source: str, url: str = "http://127.0.0.1:8080", *, seconds: float = 3.0) -> list[str]:
    told = []
    async with connect(url, File(source, loop=True), blend={"oil painting": 2, "neon outlines": 1}) as session:
        frames = aiter(session)
        while (await anext(frames)).step < 30:
            pass
        told.append(f"blend: {session.stats().latency_p50_ms:.0f} ms")
        await session.set_prompt("neon outlines", transition_s=seconds)
        last = (await anext(frames)).step + 30 * seconds
        while (await anext(frames)).step < last:
            pass
        told.append(f"after the transition: {session.stats().fps:.0f} fps")
    return told


if __name__ == "__main__":
    print(*asyncio.run(main(*sys.argv[1:3])), sep="\n")
