"""Kernels on another processor: cross-compiled for AArch64 and run under QEMU, against files of the reference."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from rig.cases import CASES
from rig.programs import buffers, dice, draft, left, save

from reverie.kernels.program import join

ROOT = Path(__file__).resolve().parents[2]
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
MISSING = [name for name in (COMPILER, EMULATOR) if not shutil.which(name)]
NEEDED = f"{', '.join(MISSING)} missing (Debian: apt-get install g++-aarch64-linux-gnu qemu-user)"
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=NEEDED), pytest.mark.timeout(600)]  # one of them compiles
PATHS = {
    "max": ["i8mm", "neon", "portable"],
    "neoverse-n1": ["neon", "portable"],  # Graviton2
    "cortex-a72": ["portable"],
}


@pytest.fixture(scope="module")
def replay() -> Path:
    """The program of kernels/cpu/replay.cpp for AArch64."""
    folder = ROOT / "build" / "aarch64"
    for command in (
        ["cmake", "-S", str(ROOT / "kernels"), "-B", str(folder), "-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_BUILD_TYPE=Release",
         "-DCMAKE_SYSTEM_PROCESSOR=aarch64", f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_EXE_LINKER_FLAGS=-static"],
        ["cmake", "--build", str(folder), "--target", "replay"],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder / "replay"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every kind of task, and what the reference makes of it."""
    folder, saved = tmp_path_factory.mktemp("cases"), []
    for number, case in enumerate(CASES.values()):
        bench, tasks = case(1)
        bench.builder.op("op", tasks)
        program = bench.builder.finish(2)
        saved.append(folder / str(number))
        save(saved[-1], program, buffers(program, bench.given), left(program, bench.given, 1), 1)
    return saved


def agrees(replay: Path, path: Path, cpu: str) -> None:
    done = subprocess.run([EMULATOR, "-cpu", cpu, str(replay), str(path)], capture_output=True, text=True)
    expected = [f"{path} {order} agrees" for path in PATHS[cpu] for order in ("fixed", "stealing", "unfused")]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected), done.stderr


@pytest.mark.parametrize("cpu", PATHS)
def test_every_kind_of_task_gives_the_bits_of_the_reference(replay: Path, cpu: str, cases: list[Path]) -> None:
    for case in cases:
        agrees(replay, case, cpu)


def test_programs_give_the_bits_of_the_reference(replay: Path, tmp_path: Path) -> None:
    for seed in range(6):
        (one, first), (two, second) = draft(dice(seed), 2), draft(dice(seed + 50), 2, "other")
        program, contents = join([one, two]), first | second
        save(tmp_path / "program", program, buffers(program, contents), left(program, contents, 3), 3)
        agrees(replay, tmp_path / "program", "max")
