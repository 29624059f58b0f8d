"""What "subject only" and "background only" cost a frame: `reverie bench masks --json`, 512x288.

The same frames are styled pictures with a mask (`server/segment.py`: the network where it is due, edges, blend) and
without one (a copy), in turn, frame by frame.  `*_ms` is the mean of what a mask adds, network and all, over a round of
ROUND frames; the median of the rounds, so that what else the machine does counts little.  Limit: 3 ms.  On the talking
head the network runs on every third to sixth frame, where the camera pans on every third, which is the worst case.
Exit code 1 above the limit, 2 where the networks are not here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from clips import Clip, moving_camera, talking_head
from environment import environment, table

from reverie.server.segment import Outline, Segmenter, compose, folder, is_here

FRAMES, WARM, ROUND, LIMIT_MS = 360, 12, 12, 3.0  # a round has whole turns of the network: every 3rd to 6th frame


def added(segmenter: Segmenter, clip: Clip, mask: str) -> dict[str, float]:
    """What a mask adds to a frame, in ms, and the most of one frame (p95: those with the network)."""
    outline, times = Outline(segmenter), []
    for source in clip:
        styled = 255 - source
        began = time.perf_counter()
        styled.copy()
        plain = time.perf_counter()
        compose(styled, source, outline.next(source), mask)
        times.append((time.perf_counter() - plain - (plain - began)) * 1000)
    rounds = [statistics.fmean(times[n : n + ROUND]) for n in range(WARM, len(times), ROUND)]
    return {"ms": statistics.median(rounds), "best_ms": min(rounds), "p95_ms": sorted(times[WARM:])[-len(times) // 20]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    if not is_here(folder()):
        print(f"{folder()} has no networks; `make serve` puts them there", file=sys.stderr)
        return 2
    segmenter = Segmenter(folder())
    rows = [
        {
            "clip": clip.__name__,
            "mask": mask,
            **{k: round(v, 2) for k, v in added(segmenter, clip(FRAMES), mask).items()},
        }
        for clip in (talking_head, moving_camera)
        for mask in ("subject", "background")
    ]
    print(table(rows))
    worst = max(row["ms"] for row in rows)
    print(json.dumps({
        "bench": "masks", "environment": environment(), "size": "512x288", "limit_ms": LIMIT_MS, "worst_ms": worst,
        "rows": rows,
    }))  # fmt: skip
    return worst > LIMIT_MS


if __name__ == "__main__":
    sys.exit(main())
