"""Shares, limiters and the trace of a run of three instructions that are known."""

import json
from xml.etree import ElementTree

import pytest

from reverie.kernels.neuron.nkisim.clock import Event
from reverie.kernels.neuron.timeline import TITLE, analyse, chrome, drawing, text

EVENTS = [
    Event("dma", "dma_copy", "video/in", 0, 100, 0),
    Event("tensor", "nc_matmul", "video/in", 100, 900, 128 * 128 * 960),
    Event("scalar", "activation exp", "llm/out", 900, 1000, 0),
]


def test_shares_are_of_the_makespan() -> None:
    report = analyse(EVENTS)
    assert report.makespan_us == 1.0 and report.instructions == 3
    assert report.busy == {"tensor": 0.8, "vector": 0, "scalar": 0.1, "gpsimd": 0, "dma": 0.1}
    assert report.useful == pytest.approx(960 / 2400)
    assert report.limiter == "tensor" and "MXFP8" in report.advice


def test_a_chain_that_waits_is_called_one() -> None:
    assert analyse([EVENTS[0], Event("scalar", "a", "x/y", 900, 1000, 0)]).limiter == "waiting"
    with pytest.raises(ValueError, match="no instructions"):
        analyse([])


def test_operators_stand_in_order_with_their_engines() -> None:
    first, second = analyse(EVENTS).ops
    assert (first.name, first.begin_us, first.end_us) == ("video/in", 0, 0.9)
    assert first.engines_us == {"dma": 0.1, "tensor": 0.8} and second.name == "llm/out"


def test_the_trace_says_what_it_is() -> None:
    trace = json.loads(json.dumps(chrome(EVENTS)))
    assert trace["otherData"]["title"] == TITLE
    tracks = [row["args"]["name"] for row in trace["traceEvents"] if row["name"] == "thread_name"]
    assert len(tracks) == 5 and all(TITLE in track for track in tracks)
    assert [row["dur"] for row in trace["traceEvents"] if row["ph"] == "X"] == [0.1, 0.8, 0.1]


def test_the_text_names_the_limiter_and_the_model() -> None:
    said = text(analyse(EVENTS))
    assert TITLE in said and "limiter: tensor" in said and "video/in" in said


def test_the_drawing_has_a_row_per_engine_and_a_colour_per_model() -> None:
    root = ElementTree.fromstring(drawing(EVENTS))
    said = " ".join("".join(node.itertext()) for node in root)
    assert TITLE in said and all(word in said for word in ("tensor", "dma", "video", "llm"))
    bars = [node for node in root if node.get("opacity")]
    assert {bar.get("fill") for bar in bars} == {"#2f6fde", "#e08a1e"}
    assert sum(float(bar.get("width", 0)) for bar in bars) == pytest.approx(960, abs=12)
