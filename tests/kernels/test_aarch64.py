"""Kernels on another processor: cross-compiled for AArch64 and run under QEMU, against files of the reference."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from rig.cases import CASES
from rig.programs import U8, buffers, dice, draft, left, save

from reverie.kernels.program import Program, join

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


def agrees(replay: Path, path: Path, program: Program, contents: dict[str, U8], epochs: int, cpu: str) -> None:
    save(path, program, buffers(program, contents), left(program, contents, epochs), epochs)
    done = subprocess.run([EMULATOR, "-cpu", cpu, str(replay), str(path)], capture_output=True, text=True)
    expected = [f"{path} {order} agrees" for path in PATHS[cpu] for order in ("fixed", "stealing", "unfused")]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected), done.stderr


@pytest.mark.parametrize("cpu", PATHS)
def test_every_kind_of_task_gives_the_bits_of_the_reference(replay: Path, cpu: str, tmp_path: Path) -> None:
    for case in CASES.values():
        bench, tasks = case(1)
        bench.builder.op("op", tasks)
        agrees(replay, tmp_path / "program", bench.builder.finish(2), bench.given, 1, cpu)


def test_programs_give_the_bits_of_the_reference(replay: Path, tmp_path: Path) -> None:
    for seed in range(6):
        (one, first), (two, second) = draft(dice(seed), 2), draft(dice(seed + 50), 2, "other")
        agrees(replay, tmp_path / "program", join([one, two]), first | second, 3, "max")
