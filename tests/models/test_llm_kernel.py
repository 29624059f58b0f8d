"""SmolLM2 in whole numbers on the kernels, against the one in torch."""

import numpy as np
import pytest

from reverie.models import llm
from reverie.models.config import NANO
from reverie.models.device import Device
from reverie.models.llm_kernel import KernelLLM
from reverie.models.llm_lowering import CHUNK, CONTEXT


@pytest.fixture(scope="module")
def model() -> KernelLLM:
    return KernelLLM(None, Device(2), NANO.llm_layers)


@pytest.fixture(scope="module")
def exact() -> llm.LLM:
    return llm.load()


@pytest.mark.parametrize("text", ["Video style: pencil sketch", "a", "neon lights in the rain, " * 6])
def test_states_are_close_to_float32_in_chunks_of_any_length(model: KernelLLM, exact: llm.LLM, text: str) -> None:
    tokens = model.tokenize(text)
    assert tokens == exact.tokenize(text)
    mine = model.states(tokens)
    theirs = np.concatenate([s.numpy() for s in exact.hidden_states(tokens, NANO.llm_layers)], -1)
    assert mine.shape == theirs.shape == (len(tokens), NANO.llm_width * len(NANO.llm_layers))
    for a, b in zip(np.split(mine, 2, 1), np.split(theirs, 2, 1), strict=True):
        assert np.linalg.norm(a - b) / np.linalg.norm(b) < 0.03


def test_states_do_not_remember_what_was_read_before(model: KernelLLM) -> None:
    tokens = model.tokenize("an old oil painting")
    first = model.states(tokens)
    model.states(model.tokenize("something much longer " * 9))
    np.testing.assert_array_equal(model.states(tokens), first)


def test_texts_without_tokens_or_beyond_the_context_are_refused(model: KernelLLM) -> None:
    for tokens in ([], [0] * (CONTEXT + 1)):
        with pytest.raises(ValueError, match=f"{len(tokens)} tokens do not fit"):
            model.states(tokens)


def test_a_text_goes_on_in_pieces_and_ends_in_time(model: KernelLLM) -> None:
    text = "Once upon a time, " * CHUNK  # more than one chunk
    pieces = list(model.generate(text, 8))
    assert pieces == list(model.generate(text, 8)) and 0 < len(pieces) <= 8
    assert "".join(pieces).strip()


def test_others_may_read_and_write_between_two_pieces(model: KernelLLM) -> None:
    alone = list(model.generate("The weather today is", 6))
    pieces = model.generate("The weather today is", 6)
    other = model.generate("In a dark room", 6)
    begun = [next(pieces)]
    model.states(model.tokenize("neon"))  # in the same thread: it would wait for ever if a piece kept the LLM
    next(other)
    assert [*begun, *pieces] == alone
