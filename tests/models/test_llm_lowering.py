"""The LLM's programs: valid, the reference's bits in every order, and the text model of llm.py in whole numbers."""

import numpy as np
import pytest
import torch
from rig.programs import U8, buffers, dropped, lowered, waits

from reverie.kernels import reference
from reverie.kernels.machine import Instance, Loaded, Order, Pool, memory, paths
from reverie.kernels.program import Program
from reverie.kernels.validate import Invalid, validate
from reverie.models import llm
from reverie.models.checkpoint import Shape
from reverie.models.llm_lowering import CHUNK, Language, layout, packed, rope

SHAPE = Shape(layers=2, width=128, heads=2, kv_heads=1, mlp=192, vocabulary=96, rope_base=1e4, norm_epsilon=1e-5)
TOKENS = [5, 95, 17, 0, 64, 33]


@pytest.fixture(scope="module")
def network() -> llm.LLM:
    torch.manual_seed(0)
    made = llm.LLM(SHAPE, None, frozenset())  # type: ignore[arg-type]
    for name, parameter in made.named_parameters():
        torch.nn.init.ones_(parameter) if "norm" in name else torch.nn.init.normal_(parameter, std=0.12)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def contents(network: llm.LLM) -> dict[str, U8]:
    turns = rope(SHAPE).reshape(-1).view(np.uint8)
    given = {"llm.weights": packed(SHAPE, {n: p.numpy() for n, p in network.state_dict().items()})}
    given["llm.rope"] = memory(turns.nbytes)
    given["llm.rope"][:] = turns
    return given


def number(array: U8, value: int | None = None) -> int:
    words = array[:4].view(np.int32)
    if value is not None:
        words[0] = value
    return int(words[0])


def floats(array: U8, *shape: int) -> np.ndarray:
    return array[: 4 * int(np.prod(shape))].view(np.float32).reshape(shape)


def ran(program: Program, contents: dict[str, U8], tokens: list[int], pool: Pool) -> Instance:
    """`read` of one chunk."""
    instance = Instance(Loaded(program), contents)
    instance["llm.token"][: 4 * CHUNK].view(np.int32)[:] = [*tokens, *[0] * (CHUNK - len(tokens))]
    pool.launch([(instance, 0)])
    return instance


def test_the_blob_is_as_large_as_its_layout(contents: dict[str, U8]) -> None:
    places, size = layout(SHAPE)
    assert contents["llm.weights"].nbytes == size
    assert set(places) == {"embed", "norm", *(f"{n}.{part}" for n in range(2) for part in (
        "attn_norm", "qkv", "o", "mlp_norm", "up", "down"))}  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count, states", [(1, ()), (CHUNK, ()), (CHUNK, (1, 2))])
def test_programs_are_valid(workers: int, count: int, states: tuple[int, ...]) -> None:
    program = Language(SHAPE, count, workers, states).build()
    validate(program)
    assert {f"states.{n}" for n in states} == {b.name for b in program.buffers if b.name.startswith("states")}


def test_states_are_those_of_the_network(network: llm.LLM, contents: dict[str, U8]) -> None:
    instance = ran(Language(SHAPE, CHUNK, 2, (1,)).build(), contents, TOKENS, Pool(2))
    (exact,) = network.hidden_states(TOKENS, (1,))
    mine = torch.from_numpy(floats(instance["states.1"], CHUNK, SHAPE.width)[: len(TOKENS)].copy())
    assert (mine - exact).norm() / exact.norm() < 0.02


def test_a_text_goes_on_as_the_networks_does(network: llm.LLM, contents: dict[str, U8]) -> None:
    """Greedy tokens; int8 weights may turn a close call, so each is checked against the logits' margin."""
    pool, instance, tokens = Pool(2), Instance(Loaded(Language(SHAPE, 1, 2).build()), contents), [5]
    number(instance["llm.token"], 5)
    for n in range(12):
        pool.launch([(instance, 0)])
        logits = network.logits(tokens)[-1]
        tokens.append(number(instance["llm.token"]))
        assert number(instance["llm.position"]) == n + 1
        assert logits[tokens[-1]] > logits.max() - 0.05 * (logits.max() - logits.min())


def test_reading_at_once_leaves_the_cache_of_one_by_one(contents: dict[str, U8]) -> None:
    pool, step = Pool(2), Instance(Loaded(Language(SHAPE, 1, 2).build()), contents)
    for token in TOKENS:
        number(step["llm.token"], token)
        pool.launch([(step, 0)])
    read = ran(Language(SHAPE, CHUNK, 2).build(), contents, TOKENS, pool)
    caches = [floats(i["llm.cache"], 2 * SHAPE.layers, 512, 64)[:, : len(TOKENS)] for i in (step, read)]
    np.testing.assert_array_equal(*caches)
    assert caches[0].any()


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("count", [1, CHUNK])
def test_every_path_and_order_gives_the_bits_of_the_reference(contents: dict[str, U8], path: str, count: int) -> None:
    program, epochs = Language(SHAPE, count, 2).build(), 3 if count == 1 else 1
    arrays, rng, pool = buffers(program, contents), np.random.default_rng(1), Pool(2, path)
    token = program.find("llm.token")
    arrays[token][: 4 * count].view(np.int32)[:] = rng.integers(0, SHAPE.vocabulary, count)
    start = arrays[token].copy()
    for _ in range(epochs):
        reference.launch(program, 0, arrays, rng)
    for order in Order:
        instance = Instance(Loaded(program), contents)
        instance["llm.token"][:] = start
        for _ in range(epochs):
            pool.launch([(instance, 0)], order)
        for buffer, mine, theirs in zip(program.buffers, instance.arrays, arrays, strict=True):
            np.testing.assert_array_equal(mine, theirs, err_msg=f"{order.name} {buffer.name}")


@pytest.mark.parametrize("count", [1, CHUNK])
def test_every_threshold_and_every_wait_counts(count: int) -> None:
    program = Language(SHAPE, count, 2).build()
    for node, index in waits(program):
        for broken in (lowered(program, node, index), dropped(program, node, index)):
            with pytest.raises(Invalid):
                validate(broken)
