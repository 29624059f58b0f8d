"""SmolLM2, ours, against transformers on the same file."""

from typing import Any

import pytest
import torch

from reverie.models import checkpoint, llm

TEXTS = [
    "Video style: pencil sketch",
    "hello 12345 wörld 🎉🏳️‍🌈\n\n  x=[1,2]; don't",
    "<|im_start|>user\nhi<|im_end|>\n",
    "日本語 и русский   \t tabs",
    "a",
]


@pytest.fixture(scope="module")
def model() -> llm.LLM:
    return llm.load()


@pytest.fixture(scope="module")
def theirs() -> tuple[Any, Any]:
    transformers = pytest.importorskip("transformers")
    path = checkpoint.packaged()
    load = {"gguf_file": path.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **load)
    network = transformers.AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **load)
    return tokenizer, network.eval().requires_grad_(False)


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_and_states_equal_those_of_transformers(model: llm.LLM, theirs: tuple[Any, Any], text: str) -> None:
    tokenizer, network = theirs
    tokens = model.tokenize(text)
    assert tokens == tokenizer(text)["input_ids"]
    expected = network(torch.tensor([tokens]), output_hidden_states=True)
    distance = lambda a, e: float((a - e).norm() / e.norm())
    assert distance(model.logits(tokens), expected.logits[0]) < 2e-5  # measured 1e-6; 30 layers of float32
    for layer, state in zip((0, 1, 9, 29), model.hidden_states(tokens, (0, 1, 9, 29)), strict=True):
        assert distance(state, expected.hidden_states[layer][0]) < 2e-5


def test_greedy_text_equals_that_of_transformers(model: llm.LLM, theirs: tuple[Any, Any]) -> None:
    tokenizer, network = theirs
    text = "Once upon a time"
    tokens = torch.tensor([model.tokenize(text)])
    made = network.generate(tokens, max_new_tokens=20, do_sample=False)[0, tokens.shape[1] :]
    assert "".join(model.generate(text, 20)) == tokenizer.decode(made)


def test_reading_in_pieces_equals_reading_at_once(model: llm.LLM) -> None:
    tokens = model.tokenize("the quick brown fox jumps over the lazy dog")
    whole, cache = model.logits(tokens), llm.Cache(model.shape, len(tokens), torch.float32)
    parts = torch.cat(
        [model.logits(tokens[:3], cache), model.logits(tokens[3:4], cache), model.logits(tokens[4:], cache)]
    )
    torch.testing.assert_close(parts, whole, atol=1e-3, rtol=1e-4)


def test_text_that_does_not_fit_is_refused(model: llm.LLM) -> None:
    for tokens in ([], [1] * (llm.MAX_CONTEXT + 1)):
        with pytest.raises(ValueError, match="do not fit"):
            model.logits(tokens)


def test_characters_of_several_tokens_come_whole(model: llm.LLM) -> None:
    pieces = list(model.generate("Emoji: 🎉🏳️‍🌈🎉🏳️‍🌈🎉🏳️", 12))
    assert all("�" not in piece for piece in pieces)


@pytest.mark.parametrize(
    "prompt", ["neon", "make me look like an old photo", "watercolour\n\nportrait", "x" * 2000, "!?"]
)
def test_an_enhanced_prompt_begins_with_the_raw_one_on_one_short_line(model: llm.LLM, prompt: str) -> None:
    text = "".join(model.enhance(prompt))
    assert text.startswith(" ".join(prompt.split())[:150])
    assert "\n" not in text
    assert len(text) <= 300


def test_the_llm_adds_words(model: llm.LLM) -> None:
    assert len("".join(model.enhance("pencil sketch")).split()) >= 6
