"""Our kernels pass; what NKI refuses is found, with its line."""

from pathlib import Path

import pytest
from rig.neuron import llm

from reverie.kernels.neuron import nkilint
from reverie.kernels.neuron.emit import kernel
from reverie.kernels.neuron.emit_language import Language
from reverie.kernels.neuron.nkilint import check

TILES = sorted(Path(nkilint.__file__).parent.glob("tiles*.py"))


@pytest.mark.parametrize("path", TILES, ids=lambda path: path.name)
def test_our_tiles_are_inside_the_language(path: Path) -> None:
    assert check(path.read_text()) == []


def test_an_emitted_kernel_is_inside_the_language() -> None:
    model = llm()
    assert check(kernel([Language(model.program, 0, model.get).build()]).source) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nisa.tensor_copy(x, x, x, x, x)", "too many positional"),
        ("nisa.memset(x)", "missing a required argument: 'value'"),
        ("nisa.dma_copy(x, x, fast=True)", "unexpected keyword argument 'fast'"),
        ("nisa.divide(x, x)", "nisa.divide is not in the API"),
        ("nl.zeros(x)", "nl.zeros is not in the API"),
        ("print(x)", "print is not known"),
        ("y = [i for i in range(3)]", "traces no comprehension"),
        ("y = x is x", "`is` with None only"),
        ("while x: pass", "traces no while"),
        ("f = lambda y: y", "traces no lambda"),
    ],
)
def test_what_nki_refuses_is_found_with_its_line(line: str, reason: str) -> None:
    source = f"import nki.isa as nisa\nimport nki.language as nl\n\n\ndef kernel(x):\n    {line}\n"
    found = check(source)
    assert len(found) == 1 and found[0].line == 6 and reason in found[0].reason


def test_keyword_only_arguments_are_found() -> None:
    assert "keyword-only" in check("def kernel(x, *, y):\n    pass\n")[0].reason


def test_none_may_be_asked_for() -> None:
    assert check("def kernel(x):\n    if x is not None:\n        return x\n") == []
