"""Programs under ThreadSanitizer, and under Address- and UndefinedBehaviorSanitizer: `make sanitize` builds and runs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rig.cases import CASES
from rig.programs import U8, buffers, dice, draft, left, lowered, save, waits

from reverie.kernels.program import Builder, Program, Role, join
from reverie.kernels.tasks import Modulate, Ref
from reverie.kernels.validate import Invalid, validate
from reverie.models import checkpoint, weights
from reverie.models.config import NANO
from reverie.models.lowering import Lowering
from reverie.models.parts import Parts
from reverie.models.style import style, style_tokens

BUILT = Path(__file__).parents[2] / "build" / "sanitize"
KINDS = ("thread", "address")
EPOCHS = 4


def replay(kind: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Every path, every order, two sessions in each launch."""
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    command = [str(BUILT / kind / "replay"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def clean(kind: str, path: Path) -> None:
    done = replay(kind, path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "fixed agrees" in done.stdout and "DIFFERS" not in done.stdout


def saved(path: Path, program: Program, contents: dict[str, U8], epochs: int = EPOCHS) -> Path:
    save(path, program, buffers(program, contents), left(program, contents, epochs), epochs)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_random_programs_are_clean(kind: str, workers: int, tmp_path: Path) -> None:
    for seed in range(4):
        (one, first), (two, second) = draft(dice(seed), workers), draft(dice(seed + 50), workers, "other")
        clean(kind, saved(tmp_path / "program", join([one, two]), first | second))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_is_clean(kind: str, tmp_path: Path) -> None:
    for case in CASES.values():
        bench, tasks = case(1)
        bench.builder.op("op", tasks)
        clean(kind, saved(tmp_path / "program", bench.builder.finish(2), bench.given, 1))


@pytest.fixture(scope="module")
def video() -> tuple[Program, dict[str, U8]]:
    ranges = json.loads(weights.SHIPPED.with_suffix(".ranges.json").read_text())
    parts = Parts(NANO, checkpoint.floats(weights.SHIPPED), ranges)
    program, vectors = Lowering(parts, 48, 80, 2).build()
    rng = np.random.default_rng(0)
    states = rng.normal(0, 2, (7, NANO.llm_width * len(NANO.llm_layers))).astype(np.float32)
    picture = lambda: rng.integers(0, 256, program.buffers[program.find("frame")].bytes).astype(np.uint8)
    strength = np.zeros(64, np.uint8)
    strength[:4] = np.array([1.0], np.float32).view(np.uint8)
    return program, {"video.weights": parts.constant, "video.vectors": vectors, "style": style(parts, style_tokens(parts, states)),
                     "frame": picture(), "noise": picture(), "strength": strength}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_video_program_is_clean(kind: str, video: tuple[Program, dict[str, U8]], tmp_path: Path) -> None:
    clean(kind, saved(tmp_path / "program", *video, epochs=2))


def interpreted(kind: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """By the GPU's interpreter, a thread a block."""
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    command = [str(BUILT / kind / "emulate"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("kind", KINDS)
def test_the_interpreter_of_gpus_is_clean(kind: str, tmp_path: Path) -> None:
    for seed in range(3):
        (one, first), (two, second) = draft(dice(seed), 3), draft(dice(seed + 50), 3, "other")
        done = interpreted(kind, saved(tmp_path / "program", join([one, two]), first | second), "threads")
        assert done.returncode == 0 and "agrees" in done.stdout, (done.stdout + done.stderr)[-4000:]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_is_clean_for_gpus(kind: str, tmp_path: Path) -> None:
    for case in CASES.values():
        bench, tasks = case(1)
        bench.builder.op("op", tasks)
        done = interpreted(kind, saved(tmp_path / "program", bench.builder.finish(2), bench.given, 1), "threads")
        assert done.returncode == 0 and "agrees" in done.stdout, (done.stdout + done.stderr)[-4000:]


# --- and a race is seen ---


def race(why: str, producers: int) -> tuple[Program, dict[str, U8]]:
    """Worker 0 (and 1) work for long; the last one has one task that must wait for them."""
    rows, width = 3000, 64
    b = Builder("m")
    vector = b.buffer("vector", 4 * width, Role.CONSTANT)
    one, two, three = (b.buffer(name, rows * width, Role.STATE) for name in ("one", "two", "three"))
    x, y = {"RAW": (two, three), "WAR": (three, one), "WAW": (three, two)}[why]
    cuts = [0, rows] if producers == 1 else [0, rows // 50, rows]  # the second of two works on for long

    def task(x: Ref, y: Ref, begin: int, end: int) -> Modulate:
        return Modulate(x=x, gain=vector, shift=vector, y=y, width=width, x_zero=0, y_zero=0, begin=begin, end=end)

    b.op("first", [task(one, two, cuts[n], cuts[n + 1]) for n in range(producers)])
    b.op("second", [task(x, y, 0, rows)])
    program = b.finish(producers + 1)
    queues = tuple((n,) for n in range(producers + 1))
    return Program(program.buffers, program.nodes, program.counters, program.models, (queues,)), {
        "vector": np.ones(width, np.float32).view(np.uint8)
    }


def reported(run: Callable[[], subprocess.CompletedProcess[str]], tries: int = 50) -> None:
    """A thread that starts late may find all done, and then nothing raced: one of many runs must be reported."""
    for _ in range(tries):
        done = run()
        if done.returncode == 66 and "ThreadSanitizer: data race" in done.stderr:
            return
    pytest.fail(f"no data race reported in {tries} runs; the last said: {done.stdout}{done.stderr}")


@pytest.mark.parametrize("producers", [1, 2], ids=["single", "shared"])
@pytest.mark.parametrize("why", ["RAW", "WAR", "WAW"])
def test_a_threshold_lowered_by_one_is_a_race(why: str, producers: int, tmp_path: Path) -> None:
    """Of each kind of counter: what the validator refuses is a race in fact, and one that ThreadSanitizer reports."""
    program, contents = race(why, producers)
    validate(program)
    (wait,) = waits(program)
    with pytest.raises(Invalid):
        validate(lowered(program, *wait))
    path = saved(tmp_path / "program", program, contents, 1)
    clean("thread", path)
    reported(lambda: replay("thread", path, 0))
    reported(lambda: interpreted("thread", path, "threads", 0))
