"""Phrases as LLM states, kept between runs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models import llm
from reverie.models.config import NANO
from reverie.models.prompt import prompt_states
from reverie.models.train.words import Words

PHRASES = [["pencil sketch", "a drawing made with a pencil on paper"], ["neon"]]


def test_states_are_those_of_the_llm_and_come_from_the_cache_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = Words(PHRASES, NANO, tmp_path / "words.npz")
    states, mask = words.take([0, 1])
    expected = prompt_states(llm.load(), "pencil sketch", NANO.llm_layers)
    assert mask.sum(1).tolist() == [len(expected), states.shape[1]]
    torch.testing.assert_close(states[0, : len(expected)], expected, rtol=2e-3, atol=2e-2)
    monkeypatch.setattr(llm, "load", None)
    again = Words(PHRASES, NANO, tmp_path / "words.npz")
    assert np.array_equal(again.states, words.states)
    with pytest.raises(TypeError):  # other phrases need the LLM again
        Words([["blue"]], NANO, tmp_path / "words.npz")


def test_a_drawn_phrase_belongs_to_its_look(tmp_path: Path) -> None:
    words = Words(PHRASES, NANO, tmp_path / "words.npz")
    assert words.first.tolist() == [0, 2, 3]
    states, mask = words.draw(np.array([1, 1]), np.random.default_rng(0))
    assert states.shape[0] == 2 and mask.all()
    assert not torch.equal(states[0], states[1])  # a little noise
