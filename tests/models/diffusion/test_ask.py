"""What stands in a prompt beside its words."""

import pytest

from reverie.models.diffusion import ask


def test_a_prompt_is_taken_apart() -> None:
    asked = ask.read("A marble statue <lora:Ink:0.5>, <control:depth:0.7> --no blur, text --guidance 1.8 --steady .25")
    assert asked == ask.Ask("a marble statue ,", "blur, text", (("ink", 0.5),), (("depth", 0.7),), 1.8, 0.25)
    assert ask.read("fox -- and --nothing <3") == ask.Ask("fox -- and --nothing <3")
    assert ask.read("fox --no blur").guidance == ask.GUIDED and ask.read("fox <lora:ink>").loras == (("ink", 1.0),)


@pytest.mark.parametrize(
    "wrong", ["<lora:ink:much>", "<control:depth:3>", "--guidance 0.5", "--steady 1", "--steady nan"]
)
def test_a_wrong_number_is_one_sentence_with_the_range(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"must be a number from -?[\d.]+ to [\d.]+, got"):
        ask.read(f"fox {wrong}")


def test_a_richer_prompt_keeps_what_was_asked_besides() -> None:
    assert ask.richer("fox <lora:ink:1> --no blur", "a red fox ") == "a red fox <lora:ink:1> --no blur"
    assert ask.richer("fox", "a red fox") == "a red fox"


def test_scales_of_a_blend_are_summed_by_shares() -> None:
    look = (("fox <lora:ink:1>", 0.25), ("owl <lora:ink:0.5> <lora:oil:1> --guidance 3", 0.5), ("picture:1", 0.25))
    mixed = ask.mixed(look)
    assert mixed.loras == (("ink", 0.5), ("oil", 0.5)) and mixed.pictures == (("picture:1", 0.25),)
    assert mixed.guidance == 2.0 and [words.words for words, _ in mixed.texts] == ["fox", "owl"]
