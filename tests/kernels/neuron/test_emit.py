"""Several models in one kernel: how their calls interleave, and that the whole program computes what it should."""

import numpy as np
import pytest
from rig.neuron import compiled, llm, video

from reverie.kernels.neuron.emit import Plan, interleaved, kernel, named, one_after_the_other
from reverie.kernels.neuron.emit_language import Language
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import feed
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.neuron.nkisim.clock import merged
from reverie.kernels.neuron.nkisim.machine import Machine

HEIGHT, WIDTH = 32, 64


def plan(model: str, *costs: float) -> Plan:
    made = Plan(model)
    for number, cost in enumerate(costs):
        made.call("op", f"{model}{number}", cost)
    return made


def test_models_advance_side_by_side_and_end_together() -> None:
    order = [call.text for call in interleaved([plan("a", 1, 1, 1, 1), plan("b", 10, 10)])]
    assert order == ["a0", "b0", "a1", "a2", "b1", "a3"]


def test_the_order_of_a_model_is_kept() -> None:
    plans = [plan("a", *[3, 0, 5] * 9), plan("b", *[1] * 20), plan("c")]
    for model in "ab":
        mine = [call.text for call in interleaved(plans) if call.model == model]
        assert mine == [f"{model}{n}" for n in range(len(mine))]
    assert [c.text for c in one_after_the_other(plans)] == [c.text for p in plans for c in p.calls]


def test_two_models_cannot_have_one_input() -> None:
    one, other = plan("a", 1), plan("b", 1)
    one.inputs["x"], other.inputs["x"] = np.zeros(1), np.zeros(1)
    with pytest.raises(ValueError, match="two models have an input x"):
        kernel([one, other])


def test_an_operators_name_becomes_an_identifier() -> None:
    assert named("blocks.0/qkv").isidentifier()


@pytest.fixture(scope="module")
def both():
    """Frame and token of the whole program in one interleaved kernel, without arithmetic: see test_reference.py for it."""
    pictures, language = video(HEIGHT, WIDTH), llm()
    plans = [
        Video(pictures.program, 0, pictures.get, first=True).build(),
        Language(language.program, 0, language.get).build(),
    ]
    made = kernel(plans)
    given = feed(made, (pictures.program, pictures.get), (language.program, language.get))
    _, machine = shim.run(compiled(made), given, Machine(computing=False))
    return machine, pictures, language


def test_the_whole_program_stays_inside_the_memories(both) -> None:
    machine = both[0]
    assert machine.peak["sbuf"] <= 196_608 and machine.peak["psum"] <= 16_384


def test_both_models_run_at_the_same_time(both) -> None:
    machine, pictures, language = both
    spans: dict[str, tuple[float, float]] = {}
    for event in machine.events:
        model = event.label.split("/")[0]
        begin, end = spans.get(model, (event.begin, event.end))
        spans[model] = (min(begin, event.begin), max(end, event.end))
    (a, b), (c, d) = (spans[model] for model in (pictures.program.models[0], language.program.models[0]))
    assert max(a, c) < 0.5 * min(b, d)


def test_interleaving_shortens_the_makespan(both) -> None:
    interleaved_machine, pictures, language = both
    plans = [
        Video(pictures.program, 0, pictures.get, first=True).build(),
        Language(language.program, 0, language.get).build(),
    ]
    made, machine = kernel(plans, interleave=False), Machine(computing=False)
    given = feed(made, (pictures.program, pictures.get), (language.program, language.get))
    shim.run(compiled(made), given, machine)
    sequential, own = (max(e.end for e in each.events) for each in (machine, interleaved_machine))
    reordered = max(e.end for e in merged(interleaved_machine.issued, interleaved_machine.constants))
    assert reordered < own < sequential
