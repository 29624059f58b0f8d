"""The GPU's interpreter, compiled for this processor with a fibre a block: random orders, 132 blocks, faults."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rig.neuron import llm, video
from rig.programs import buffers, dice, draft, left, save, waits

from reverie.kernels import reference
from reverie.kernels.program import Program, join
from reverie.models.llm_lowering import CHUNK

CUDA = Path(__file__).parents[3] / "kernels" / "cuda"


@pytest.fixture(scope="session")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cuda") / "emulate"
    command = [
        "g++",
        "-std=c++20",
        "-O2",
        "-ffp-contract=off",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
        "-o",
        str(made),
    ]
    subprocess.run([*command, str(CUDA / "emulate.cpp")], check=True)
    return made


def says(emulate: Path, *arguments: object) -> str:
    done = subprocess.run([str(emulate), *map(str, arguments)], capture_output=True, text=True, timeout=600)
    return f"{done.stdout}{done.stderr}"


def three(workers: int) -> tuple[Program, list, list]:
    """Video, a token of the LLM and its reading of a prompt in one program, and buffers before and after."""
    reader = llm(seed=1, workers=workers, count=CHUNK)
    own = tuple(replace(b, name=f"reader.{b.name}") for b in reader.program.buffers)
    reader = replace(reader, program=replace(reader.program, buffers=own))
    parts = [video(32, 64, workers), llm(workers=workers), reader]
    program = join([part.program for part in parts])
    filled = {b.name: array for part in parts for b, array in zip(part.program.buffers, part.buffers, strict=True)}
    before = [filled[b.name].copy() for b in program.buffers]
    after = [array.copy() for array in before]
    for model in range(len(program.models)):
        reference.launch(program, model, after)
    return program, before, after


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "case"
    program, before, after = three(132)
    assert len(program.models) == 3
    save(path, program, before, after, 1)
    return path


@pytest.mark.parametrize("seed", [1])
def test_three_models_on_132_blocks_give_the_bits_of_the_reference(emulate: Path, whole: Path, seed: int) -> None:
    said = says(emulate, whole, seed)
    assert said.startswith("132 blocks") and said.endswith("agrees\n")


def test_epochs_follow_each_other_without_a_reset(emulate: Path, tmp_path: Path) -> None:
    program, given = draft(dice(5), 3)
    save(tmp_path / "case", program, buffers(program, given), left(program, given, 4), 4)
    for how in (1, 2, "threads"):
        assert "agrees" in says(emulate, tmp_path / "case", how)


def test_a_threshold_that_is_too_low_is_noticed(emulate: Path, tmp_path: Path) -> None:
    noticed = tried = 0
    for seed in range(4):
        program, given = draft(dice(seed), 4)
        save(tmp_path / "case", program, buffers(program, given), left(program, given, 3), 3)
        for index, _ in zip(range(4), waits(program), strict=False):
            tried += 1
            noticed += any("agrees" not in says(emulate, tmp_path / "case", s, index) for s in range(4))
    assert tried and noticed


def test_blocks_that_wait_for_ever_give_up(emulate: Path, tmp_path: Path) -> None:
    program, given = draft(dice(1), 2)
    number, _ = next(waits(program))
    node = program.nodes[number]
    stuck = replace(node, waits=tuple((c, t + 5) for c, t in node.waits))
    program = replace(program, nodes=tuple(stuck if n == number else each for n, each in enumerate(program.nodes)))
    before = buffers(program, given)
    save(tmp_path / "case", program, before, before, 1)
    assert "GAVE UP" in says(emulate, tmp_path / "case", 1)
