"""SmolLM2 in whole numbers on the kernels, against the one in torch."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from reverie.kernels.tasks import Pick
from reverie.models import llm
from reverie.models.config import NANO
from reverie.models.device import Device
from reverie.models.llm_kernel import PART, KernelLLM
from reverie.models.llm_lowering import CONTEXT

FIXED = (
    "A camera stands in a kitchen and looks at a table. On the table there are a bowl of fruit, two cups and a newspaper. "
    "The sun comes in through a window on the left and falls on the floor. A woman walks in, puts a kettle on the stove and "
    "waits for the water to boil. Then she pours the tea, sits down, and reads the news. Outside it begins to rain."
)


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


def test_perplexity_is_within_two_percent_of_float32(model: KernelLLM, exact: llm.LLM) -> None:
    """Token by token through the program that writes, each told which token really came."""
    tokens = model.tokenize(FIXED)
    logits = next(node.task for node in model.program.nodes if isinstance(node.task, Pick)).logits
    raw, size = model._decode.arrays[logits.buffer], 4 * model.shape.vocabulary
    surprise = []
    for position, (token, after) in enumerate(pairwise(tokens)):
        model._at(position)
        model.given["llm.token"][:4].view(np.int32)[0] = token
        model.device.run(model._decode)
        mine = raw[logits.offset : logits.offset + size].view(np.float32).astype(np.float64)
        surprise.append(np.logaddexp.reduce(mine) - mine[after])
    model._held = None  # the cache is this text's
    theirs = torch.nn.functional.cross_entropy(exact.logits(tokens)[:-1].double(), torch.tensor(tokens[1:])).item()
    assert 0.98 <= np.exp(np.mean(surprise) - theirs) <= 1.02


def test_states_do_not_remember_what_was_read_before(model: KernelLLM) -> None:
    tokens = model.tokenize("an old oil painting")
    first = model.states(tokens)
    model.states(model.tokenize("something much longer " * 9))
    np.testing.assert_array_equal(model.states(tokens), first)


def test_a_brief_prompt_is_read_by_the_smaller_program_to_the_same_states(
    model: KernelLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = model.tokenize("Video style: pencil sketch")
    assert len(tokens) <= PART
    monkeypatch.setattr(model, "_brief", None)
    whole = model.states(tokens)
    model.finish()
    assert model._brief is not None
    assert np.array_equal(model.states(tokens), whole)


def test_texts_without_tokens_or_beyond_the_context_are_refused(model: KernelLLM) -> None:
    for tokens in ([], [0] * (CONTEXT + 1)):
        with pytest.raises(ValueError, match=f"{len(tokens)} tokens do not fit"):
            model.states(tokens)


def test_a_text_goes_on_in_pieces_and_ends_in_time(model: KernelLLM) -> None:
    text = "Once upon a time, " * PART  # more than one chunk
    pieces = list(model.generate(text, 8))
    assert pieces == list(model.generate(text, 8)) and 0 < len([piece for piece in pieces if piece]) <= 8
    assert len([piece for piece in pieces if not piece]) == (len(model.tokenize(text)) - 2) // PART
    assert "".join(pieces).strip()


def test_others_may_read_and_write_between_two_pieces(model: KernelLLM) -> None:
    text = "The weather today is " * PART
    alone = "".join(model.generate(text, 6))
    pieces = model.generate(text, 6)
    begun = [next(pieces), next(pieces)]
    model.states(model.tokenize("neon"))  # in the same thread: it would wait for ever if a piece kept the LLM
    assert "".join([*begun, *pieces]) == alone


def test_two_texts_are_written_in_turns_and_one_that_is_given_up_keeps_nobody_waiting(model: KernelLLM) -> None:
    texts = ["The weather today is " * PART, "In a dark room " * PART]
    alone = ["".join(model.generate(text, 4)) for text in texts]
    given_up = model.generate("Once upon a time, " * PART, 4)
    next(given_up)
    del given_up
    written = ["", ""]
    both = [model.generate(text, 4) for text in texts]
    for _ in range(1000):
        pieces = [next(each, None) for each in both]
        written = [told + (piece or "") for told, piece in zip(written, pieces, strict=True)]
        if pieces == [None, None]:
            break
    assert written == alone
