"""Users' functions in processes of their own: what they do to a picture, and that their faults cost only themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reverie.server import effects
from reverie.server.effects import About, Effect, Spec, parse, through
from reverie.server.metrics import Metrics

ABOUT = About("session", "watercolour", True, 1.5)
GREY = np.full((32, 48, 3), 100, np.uint8)
LIMIT_MS = 20_000  # of effects that are to be in time on any machine
Make = Callable[..., Effect]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, told: list[str]) -> Iterator[Make]:
    made: list[Effect] = []

    def one(code: str, limit_ms: int = LIMIT_MS, memory_mb: int = 1024) -> Effect:
        file = tmp_path / "mine.py"
        file.write_text(code)
        made.append(Effect(Spec(str(file), "after"), limit_ms, memory_mb, Metrics(), told.append))
        return made[-1]

    yield one
    for each in made:
        each.close()


def wait(true: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


def counted(effect: Effect, outcome: str) -> float:
    return effect._metrics.effects.labels("mine", outcome)._value.get()


def test_it_changes_the_picture_and_is_told_of_it(make: Make) -> None:
    effect = make(
        "def effect(frame, ctx):\n"
        "    ctx.state['sum'] = ctx.state.get('sum', 0) + 1\n"
        "    frame[0, 0] = (ctx.number, ctx.state['sum'], round(10 * ctx.time_s))\n"
        "    assert (ctx.session, ctx.prompt, ctx.styled, ctx.camera) == ('session', 'watercolour', True, None)\n"
        "    return frame if ctx.number else None\n"
    )
    picture = GREY.copy()
    assert not effect.apply(picture, ABOUT, None) and np.array_equal(picture, GREY), "it is loading: nobody waits"
    wait(lambda: effect.ready)
    for n in range(2):
        assert effect.apply(picture, ABOUT, None)
        assert picture[0, 0].tolist() == [n, n + 1, 15] and np.array_equal(picture[1:], GREY[1:])
    larger = np.zeros((64, 64, 3), np.uint8)
    assert effect.apply(larger, ABOUT, None) and larger[0, 0, 0] == 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("    return 1 / 0", "ZeroDivisionError in line 3: division by zero"),
        ("    return frame[:8]", "must give back (32, 48, 3) uint8"),
        ("    return 'red'", "must give back"),
        ("    return np.ones(2 << 30, np.uint8)", "MemoryError"),
    ],
)
def test_a_fault_leaves_the_picture_and_three_give_a_rest(make: Make, told: list[str], code: str, words: str) -> None:
    effect = make(f"import numpy as np\ndef effect(frame, ctx):\n{code}\n")
    wait(lambda: effect.ready)
    picture = GREY.copy()
    for n in range(3):
        assert not told, n
        assert not effect.apply(picture, ABOUT, None)
    assert len(told) == 1 and words in told[0] and "left out for 1 s" in told[0]
    assert not effect.ready and counted(effect, "failed") == 3 and np.array_equal(picture, GREY)
    wait(lambda: effect.ready)
    for _ in range(3):
        effect.apply(picture, ABOUT, None)
    assert "left out for 2 s" in told[1]


def test_a_slow_one_is_not_waited_for(make: Make, told: list[str]) -> None:
    effect = make("import time\ndef effect(frame, ctx):\n    frame[:] = 0\n    time.sleep(0.3)\n", limit_ms=10)
    wait(lambda: effect.ready)
    picture = GREY.copy()
    wait(lambda: effect.apply(picture, ABOUT, None) or told)
    assert counted(effect, "late") == 3 and counted(effect, "resting") > 3
    assert "longer than 10 ms" in told[0] and np.array_equal(picture, GREY)


@pytest.mark.parametrize(
    ("code", "words"), [("import os; os._exit(1)", "process ended"), ("while True: pass", "did not answer")]
)
def test_one_that_dies_or_hangs_is_begun_anew(
    make: Make, told: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, words: str
) -> None:
    monkeypatch.setattr(effects, "HANGS_S", 0.2)
    once = tmp_path / "once"
    effect = make(
        f"import pathlib\ndef effect(frame, ctx):\n    if not pathlib.Path({str(once)!r}).exists():\n"
        f"        pathlib.Path({str(once)!r}).touch()\n        {code}\n    frame[:] = 7\n",
        limit_ms=100 if "while" in code else LIMIT_MS,
    )
    picture = GREY.copy()
    wait(lambda: effect.apply(picture, ABOUT, None) or told)
    assert words in told[0] and np.array_equal(picture, GREY)
    effect._limit_ms = LIMIT_MS
    monkeypatch.setattr(effects, "HANGS_S", 30.0)
    wait(lambda: effect.apply(picture, ABOUT, None))
    assert picture.max() == 7 and counted(effect, "crashed") == 1


@pytest.mark.parametrize(
    ("code", "words"), [("import nowhere", "nowhere"), ("x = 1", "effect"), ("def effect(", "line")]
)
def test_one_that_cannot_be_loaded_says_why(make: Make, told: list[str], code: str, words: str) -> None:
    effect = make(code)
    wait(lambda: effect.ready or told)
    assert "cannot be loaded" in told[0] and words in told[0]


def test_frames_keep_their_time_and_pass_untouched_where_nothing_is_ready(make: Make) -> None:
    effect = make("wants_camera = True\ndef effect(frame, ctx):\n    frame[:] = ctx.camera.mean()\n")
    frame = av.VideoFrame.from_ndarray(GREY, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = 90, Fraction(1, 30)
    camera = av.VideoFrame.from_ndarray(np.full_like(GREY, 200), "rgb24").reformat(format="yuv420p")
    assert through([effect], frame, ABOUT, camera) is frame
    wait(lambda: effect.ready)
    shown = through([effect], frame, ABOUT, camera)
    assert (shown.pts, shown.time_base) == (90, Fraction(1, 30)) and abs(
        shown.to_ndarray(format="rgb24").mean() - 200
    ) < 3


def test_names_and_places(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.touch()
    assert parse(f"{file}") == parse(f"{file}:after") == Spec(str(file), "after")
    assert parse(f"{file}:before") == Spec(str(file), "before") and parse(str(file)).name == "mine"
    for wrong in ("nowhere.py", "nowhere", f"{file}:during", ""):
        with pytest.raises(ValueError, match="there is no effect"):
            parse(wrong)
