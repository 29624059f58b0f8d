"""Several models in one kernel: how their calls interleave, and that the whole program computes what it should."""

import numpy as np
import pytest
from rig.neuron import Filled, compiled, llm, video

from reverie.kernels.neuron import nkilint
from reverie.kernels.neuron.emit import Kernel, Plan, kernel, named, one_after_the_other
from reverie.kernels.neuron.emit_language import Language
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import feed
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.neuron.nkisim.machine import Machine

HEIGHT, WIDTH = 32, 64


def plan(model: str, *texts: str) -> Plan:
    made = Plan(model)
    for text in texts:
        made.call("op", text)
    return made


def test_models_may_follow_one_another() -> None:
    lines = list(one_after_the_other([plan("a", "x = 1", "y = 2"), plan("b", "z = 3")]))
    assert lines == ["mark('a', 'op')", "x = 1", "y = 2", "mark('b', 'op')", "z = 3"]


def test_two_models_cannot_have_one_input() -> None:
    one, other = plan("a"), plan("b")
    one.inputs["x"], other.inputs["x"] = np.zeros(1), np.zeros(1)
    with pytest.raises(ValueError, match="two models have an input x"):
        kernel([one, other])


def test_an_operators_name_becomes_an_identifier() -> None:
    assert named("blocks.0/qkv").isidentifier()


def plans(pictures: Filled, language: Filled) -> list[Plan]:
    return [
        Video(pictures.program, 0, pictures.get, first=True).build(),
        Language(language.program, 0, language.get).build(),
    ]


def ran(interleave: bool) -> tuple[Kernel, Machine]:
    """Frame and token of the whole program in one kernel, without arithmetic: see test_reference.py for it."""
    pictures, language = video(HEIGHT, WIDTH), llm()
    made = kernel(plans(pictures, language), interleave)
    given = feed(made, (pictures.program, pictures.get), (language.program, language.get))
    return made, shim.run(compiled(made), given, Machine(computing=False))[1]


@pytest.fixture(scope="module")
def mixed() -> tuple[Kernel, Machine]:
    return ran(interleave=True)


@pytest.fixture(scope="module")
def apart() -> tuple[Kernel, Machine]:
    return ran(interleave=False)


def test_the_whole_program_stays_inside_the_memories(mixed: tuple[Kernel, Machine]) -> None:
    assert mixed[1].peak["sbuf"] <= 196_608 and mixed[1].peak["psum"] <= 16_384


def test_both_models_run_at_the_same_time(mixed: tuple[Kernel, Machine]) -> None:
    spans: dict[str, tuple[float, float]] = {}
    for event in mixed[1].events:
        model = event.label.split("/")[0]
        begin, end = spans.get(model, (event.begin, event.end))
        spans[model] = (min(begin, event.begin), max(end, event.end))
    spans.pop("")
    (a, b), (c, d) = spans.values()
    assert max(a, c) < 0.5 * min(b, d)


def test_interleaved_the_shorter_model_costs_next_to_nothing(
    mixed: tuple[Kernel, Machine], apart: tuple[Kernel, Machine]
) -> None:  # fmt: skip
    ends = {event.label.split("/")[0]: event.end for event in sorted(apart[1].events, key=lambda event: event.end)}
    own, first, both = max(event.end for event in mixed[1].events), ends["video"], max(ends.values())
    assert own < 1.02 * max(first, both - first) < both


def test_each_models_instructions_keep_their_order(
    mixed: tuple[Kernel, Machine], apart: tuple[Kernel, Machine]
) -> None:  # fmt: skip
    for model in {one.model for one in apart[1].issued}:
        one, other = (
            [(i.engine, i.name, i.label, i.ns) for i in machine.issued if i.model == model]
            for _, machine in (mixed, apart)
        )
        assert one == other


def test_the_order_is_the_compilers_too_and_the_source_is_nki(mixed: tuple[Kernel, Machine]) -> None:
    source = mixed[0].source
    assert source.count("with nl.no_reorder():") == 1 and nkilint.check(source) == []
