"""What the LLM says of a look is kept only if it still means that look."""

from collections.abc import Iterator

import pytest

from reverie.models.train import paraphrase
from reverie.models.train.vocabulary import NAMES


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('Make me look like a "pencil" sketch.', "make me look like a pencil sketch"),
        ("make this look like an old postcard", None),  # copied from an example
        ("make it look really nice please", None),  # names no look
        ("a pencil or a charcoal drawing", None),  # names two
        ("soft graphite on white paper", None),  # a held-out word
        ("pencil", None),  # a name, no sentence
    ],
)
def test_a_paraphrase_names_one_look_in_words_of_training(said: str, kept: str | None) -> None:
    assert paraphrase.kept("pencil", said) == kept


def test_each_name_is_said_once_by_the_first_line_of_the_llm() -> None:
    asked: list[str] = []

    def generate(text: str, most: int) -> Iterator[str]:
        asked.append(text)
        yield from (" draw me with a ", "pencil please\n", "Look: neon")

    assert paraphrase.write(generate, ["pencil"]) == {"pencil": ["draw me with a pencil please"]}
    assert len(asked) == paraphrase.NAMES_SAID and asked[0].endswith("Look: pencil sketch\nRequest:")


def test_the_committed_ones_pass_the_filter() -> None:
    found = paraphrase.paraphrases()
    assert sum(map(len, found.values())) >= 50
    for look, phrases in found.items():
        assert look in NAMES and all(paraphrase.kept(look, phrase) == phrase for phrase in phrases)
