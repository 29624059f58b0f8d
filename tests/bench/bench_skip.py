"""What is saved by not making again what did not change: `reverie bench skip --json`, nano at 512x288, two workers.

`work_saved` is the share of the frame's work that was not done on a talking head before a still room, `time_saved` of
the time a step takes, `psnr_db` compares the pictures with those made whole.  `ratio_moving` is the time of a step with
the mask over that without, where the camera moves and nothing can be saved.  With and without alternate, frame by
frame; medians of the steps.  The clips are synthetic: a portrait that is warped, with a webcam's noise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from clips import Clip, moving_camera, talking_head
from environment import environment, table

from reverie.models import nano_kernel

THRESHOLD, FRAMES, WARM = 2.0, 240, 10  # the server's default; frames of a clip; not counted


def compare(model: nano_kernel.Nano, clip: Clip) -> dict[str, float]:
    """Step times with the mask and without, in ms, and what differs."""
    streams = {}
    for threshold in (THRESHOLD, 0.0):
        model.skip = threshold
        streams[threshold] = model.stream()
        streams[threshold].start("pencil sketch")
        streams[threshold].step(clip[:1])
    times: dict[float, list[float]] = {threshold: [] for threshold in streams}
    errors = []
    for frame in clip[1:]:
        shown = []
        for threshold, stream in streams.items():
            model.skip = threshold  # a stream asks for it at each frame
            began = time.perf_counter()
            shown.append(stream.step(frame[None])[0].astype(np.float32))
            times[threshold].append((time.perf_counter() - began) * 1000)
        errors.append(float(np.mean((shown[0] - shown[1]) ** 2)))
    masked, whole = (statistics.median(times[threshold][WARM:]) for threshold in streams)
    psnr = 10 * np.log10(255**2 / max(statistics.fmean(errors[WARM:]), 1e-9))
    return {"masked_ms": masked, "whole_ms": whole, "work_saved": streams[THRESHOLD].work_saved, "psnr_db": float(psnr)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    model = nano_kernel.load()
    head, moving = (compare(model, clip(FRAMES)) for clip in (talking_head, moving_camera))
    rows = [
        {"clip": name, **{k: round(v, 3) for k, v in row.items()}} for name, row in (("head", head), ("moving", moving))
    ]
    print(table(rows))
    print(json.dumps({
        "bench": "skip", "environment": environment(), "path": model.device.pool.path, "threshold": THRESHOLD,
        "work_saved": round(head["work_saved"], 3), "time_saved": round(1 - head["masked_ms"] / head["whole_ms"], 3),
        "psnr_db": round(head["psnr_db"], 2), "ratio_moving": round(moving["masked_ms"] / moving["whole_ms"], 3),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
