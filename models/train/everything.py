"""The next weights by one command: every step from packages to shipped files, in its order.

`python -m reverie.models.train all --minutes 600` may be stopped and given again: it goes on from its checkpoint.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reverie.models import weights

TRAIN = "reverie.models.train"


def plan(cache: Path, name: str, minutes: float, share: float, until: str = "") -> list[list[str]]:
    """Modules and their arguments.

    Args:
        cache: where packages, clips and checkpoints lie.  share: of the clips to train on.
        until: the last step to be made, "" for all.
    Raises: ValueError if there is no such step.
    """
    here = ["--cache", str(cache)]
    step = lambda command, *options: [TRAIN, *here, command, *options]
    begun = (cache / f"{name}.pt").is_file()  # a run goes on with the clips that it began with
    steps = [] if begun else [step("data", "--share", str(share)), step("film")]
    steps += [
        step("fit", "--name", name, "--minutes", str(minutes), "--start", str(weights.SHIPPED)),
        step("evaluate", "--name", name),
        step("export", "--name", name),
        ["reverie.models.calibrate", *here],
        step("looks"), step("picture"), step("scene"), step("search"),
        ["reverie.models.evaluate", *here],
        step("gallery"),
    ]  # fmt: skip
    names = [each[3] if each[0] == TRAIN else each[0].rsplit(".", 1)[1] for each in steps]
    if until and until not in names:
        raise ValueError(f"there is no step {until}; the steps are {', '.join(names)}")
    return steps[: names.index(until) + 1] if until else steps


def run(steps: Sequence[Sequence[str]]) -> None:
    """Each in a process of its own, so that what one has read is given back.  Raises: RuntimeError if one fails."""
    for n, step in enumerate(steps, 1):
        print(f"step {n} of {len(steps)}: python -m {' '.join(step)}", flush=True)
        if code := subprocess.run([sys.executable, "-m", *step], check=False).returncode:
            raise RuntimeError(f"python -m {' '.join(step)} ended with {code}; the same command goes on from there")
