"""The LLM's decoding on the simulator: the reference's tokens, step after step."""

import numpy as np
import pytest
from rig.neuron import compiled, llm

from reverie.kernels import reference
from reverie.kernels.neuron.emit import Kernel, kernel
from reverie.kernels.neuron.emit_language import Language
from reverie.kernels.neuron.feed import feed
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.neuron.nkisim.machine import Machine

STEPS = 6


@pytest.fixture(scope="module")
def made() -> Kernel:
    model = llm()
    return kernel([Language(model.program, 0, model.get).build()])


def test_tokens_are_those_of_the_reference(made: Kernel) -> None:
    model, run = llm(), compiled(made)
    given = feed(made, (model.program, model.get))
    ours, theirs = [], []
    for _ in range(STEPS):
        (token, position), _ = shim.run(run, given)
        given |= {"token": token.copy(), "position": position.copy()}
        reference.launch(model.program, 0, model.buffers)
        ours.append((int(token[0, 0]), int(position[0, 0])))
        theirs.append((model.word("llm.token"), model.word("llm.position")))
    assert ours == theirs
    assert len({token for token, _ in ours}) > 1


def test_the_cache_is_the_references(made: Kernel) -> None:
    model, run = llm(), compiled(made)
    given = feed(made, (model.program, model.get))
    for _ in range(2):
        (token, position), _ = shim.run(run, given)
        given |= {"token": token.copy(), "position": position.copy()}
        reference.launch(model.program, 0, model.buffers)
    want = feed(made, (model.program, model.get))
    for name in ("llm_keys", "llm_values"):
        np.testing.assert_allclose(given[name], want[name], atol=2e-3, err_msg=name)
        assert np.abs(given[name]).max() > 0.1


def test_every_weight_streams_once(made: Kernel) -> None:
    model = llm()
    _, machine = shim.run(compiled(made), feed(made, (model.program, model.get)), Machine(computing=False))
    weights = made.inputs["llm_weights"]
    assert weights is not None
    moved = sum(event.end - event.begin for event in machine.events if event.engine == "dma") * 528
    assert weights.nbytes < moved < 3 * weights.nbytes + 4_000_000


def test_a_wrong_position_changes_what_is_said(made: Kernel) -> None:
    model = llm()
    given = feed(made, (model.program, model.get))
    rng = np.random.default_rng(1)
    given["llm_keys"] = rng.normal(size=given["llm_keys"].shape).astype(np.float32)
    given["llm_values"] = rng.normal(size=given["llm_values"].shape).astype(np.float32)
    said = set()
    for position in (0, 100, 200):
        given["position"] = np.array([[position]], np.int32)
        said.add(int(shim.run(compiled(made), given)[0][0][0, 0]))
    assert len(said) > 1
