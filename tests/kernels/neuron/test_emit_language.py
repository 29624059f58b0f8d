"""The LLM's decoding on the simulator: the reference's tokens, step after step."""

import numpy as np
import pytest
from rig.cases import CASES
from rig.neuron import Filled, compiled, llm

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


def drawn(likeliest: int, temperature: float, seed: int) -> tuple[int, np.ndarray, np.ndarray]:
    """The token that a kernel draws, the logits and the noise."""
    bench, tasks = CASES["pick"](1)
    bench.builder.op("op", tasks)
    program = bench.builder.finish(2)
    made = Filled(program, [bench.given[buffer.name] for buffer in program.buffers if buffer.name in bench.given])
    plan = Language(program, 0, made.get, likeliest, temperature).build()
    logits = made.get(tasks[0].logits, np.float32, 1024)
    noise = np.random.default_rng(seed).gumbel(size=1024).astype(np.float32)
    built = kernel([plan])
    more = {"gumbel": np.ascontiguousarray(noise.reshape(-1, 128).T)} if likeliest else {}
    return int(shim.run(compiled(built), feed(built, (program, made.get), **more))[0][0][0, 0]), logits, noise


@pytest.mark.parametrize(("likeliest", "temperature"), [(8, 1.0), (5, 0.7), (2, 3.0)])
def test_a_token_is_drawn_from_the_likeliest(likeliest: int, temperature: float) -> None:
    seen = set()
    for seed in range(12):
        token, logits, noise = drawn(likeliest, temperature, seed)
        best = np.argsort(-logits)[:likeliest]
        assert token == best[np.argmax((logits + np.float32(temperature) * noise)[best])]
        seen.add(token)
    assert len(seen) > 1


def test_one_of_one_is_the_likeliest() -> None:
    token, logits, _ = drawn(1, 5.0, 3)
    assert token == drawn(0, 1.0, 3)[0] == int(logits.argmax())
    with pytest.raises(ValueError, match="at most 8, got 9"):
        drawn(9, 1.0, 0)
