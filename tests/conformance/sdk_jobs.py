"""Run by the Python of PyPI decart 0.2.4: its HTTP part, against a server at argv[1] with the clip argv[2].

Prints what it saw as one JSON object.
"""

import asyncio
import json
import sys
from pathlib import Path

from decart import DecartClient, models
from flat import picture

URL, CLIP = sys.argv[1:]
SAW: dict[str, object] = {}


async def main() -> None:
    async with DecartClient(api_key="local", base_url=URL) as client:
        told: list[str] = []
        wish = {"model": models.video("lucy-latest"), "prompt": "red", "enhance_prompt": False, "resolution": "720p"}
        done = await client.queue.submit_and_poll(
            {**wish, "data": Path(CLIP), "on_status_change": lambda job: told.append(job.status)}
        )
        SAW["submit_and_poll"] = done.status == "completed" and done.data[4:8] == b"ftyp"
        SAW["statuses"] = told[-1] == "completed" and set(told) <= {"pending", "processing", "completed"}
        restyle = {"model": models.video("lucy-restyle-2"), "reference_image": picture((0, 255, 0))}
        with open(CLIP, "rb") as file:
            job = await client.queue.submit({**restyle, "data": file})
        while (status := (await client.queue.status(job.job_id)).status) in ("pending", "processing"):
            await asyncio.sleep(0.1)
        SAW["submit, status, result"] = status == "completed" and len(await client.queue.result(job.job_id)) > 500
        image = await client.process(
            {
                "model": models.image("lucy-image-2"),
                "prompt": "red",
                "enhance_prompt": False,
                "data": picture((200, 60, 60)),
            }
        )
        SAW["process"] = image[:4] == b"\x89PNG" and image[16:24] == bytes((0, 0, 0, 64, 0, 0, 0, 48))
        try:
            await client.queue.submit({**wish, "data": b"no clip"})
        except Exception as error:
            SAW["a bad clip is told"] = "data is not a video" in str(error)
        try:
            await client.queue.status("job_" + "0" * 24)
        except Exception as error:
            SAW["an unknown job is told"] = "404" in str(error)


asyncio.run(main())
print(json.dumps(SAW))
