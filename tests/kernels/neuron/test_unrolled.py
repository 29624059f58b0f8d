"""Calls become single instructions that do the same."""

import re

import nki.isa as isa
import nki.language as nl
import numpy as np
import pytest

from reverie.kernels.neuron import nkilint
from reverie.kernels.neuron.emit import HEAD, HELD
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.neuron.unrolled import Instruction, said, unrolled

CALLS = (
    "held = v.load(x, 4, 0, 8, nl.float32, 4096)",
    "made = nl.ndarray((4, 2, 4), nl.float32, buffer=nl.sbuf, name='made', address=(0, 8192))",
    "nisa.tensor_scalar(made, held.reshape((4, 2, 4)), nl.multiply, 2.0, engine=nisa.engine.gpsimd)",
    "here = nisa.register_alloc(0)",
    "nisa.register_load(here, place)",
    "nisa.dma_copy(y.ap(pattern=[[8, 4], [1, 4]], offset=0, scalar_offset=here * 4), made[:, 1:2, :])",
)
ARRAYS = {
    "fixed": np.zeros((128, 386), np.float32), "x": np.arange(32, dtype=np.float32).reshape(4, 8),
    "place": np.array([[1]], np.int32), "y": np.zeros((4, 8), np.float32),
}  # fmt: skip


def flat(made: list[Instruction], arrays: dict[str, object]) -> str:
    texts = [text for each in made if each.issued.model for text in each.texts]
    return "\n".join([HEAD.format(", ".join(arrays)), *(f"    {text}" for text in (*HELD, *texts)), ""])


def run(source: str, arrays: dict[str, np.ndarray]) -> None:
    space: dict = {}
    exec(compile(source, "kernel", "exec"), space)
    shim.run(space["kernel"], arrays)


def test_memory_and_registers_stand_before_the_instruction_that_needs_them() -> None:
    made = unrolled([("m", [("op", text) for text in CALLS])], ARRAYS, HELD)
    assert [each.issued.label for each in made] == ["", "m/op", "m/op", "m/op"]
    names = [[re.sub(r"_?\d+$", "", text.split("(")[0].split(" = ")[0]) for text in each.texts] for each in made[1:]]
    assert names == [
        ["loaded", "nisa.dma_copy"],
        ["made", "nisa.tensor_scalar"],
        ["r", "nisa.register_load", "nisa.dma_copy"],
    ]


def test_single_instructions_do_what_the_calls_do() -> None:
    source = flat(unrolled([("m", [("op", text) for text in CALLS])], ARRAYS, HELD), ARRAYS)
    arrays = {name: array.copy() for name, array in ARRAYS.items()}
    run(source, arrays)
    want = np.zeros((4, 8), np.float32)
    want[:, 4:] = 2 * ARRAYS["x"][:, 4:]
    np.testing.assert_array_equal(arrays["y"], want)
    assert nkilint.check(source) == [] and "engine=nisa.engine.gpsimd" in source


def test_two_models_names_never_meet() -> None:
    calls = [("op", text) for text in CALLS[:3]]
    made = unrolled([("a", calls), ("b", calls)], ARRAYS, HELD)
    fresh = [text.split(" = ")[0] for each in made if each.issued.model for text in each.texts if " = nl." in text]
    assert len(fresh) == 4 == len(set(fresh))


def test_a_lost_instruction_is_noticed() -> None:
    made = unrolled([("m", [("op", text) for text in CALLS])], ARRAYS, HELD)
    made[2] = Instruction(made[2].texts[:-1], made[2].issued)
    arrays = {name: array.copy() for name, array in ARRAYS.items()}
    run(flat(made, ARRAYS), arrays)
    assert np.isnan(arrays["y"][:, 4:]).all()


def test_what_has_no_text_is_refused() -> None:
    assert [said(each) for each in (nl.add, nl.float32, isa.engine.scalar, None, 1.5, (1, 2))] == [
        "nl.add", "nl.float32", "nisa.engine.scalar", "None", "1.5", "(1, 2)",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="cannot stand in a kernel's source"):
        said(np.zeros(2))
