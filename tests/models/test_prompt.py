"""How a prompt is put to the LLM."""

from reverie.models import llm
from reverie.models.prompt import MAX_TOKENS, normal, prompt_states


def test_case_space_and_full_stops_do_not_matter() -> None:
    assert normal("  Neon\n OUTLINES. ") == normal("neon outlines") == "neon outlines"


def test_long_prompts_are_read_up_to_the_limit_and_the_states_of_both_layers_side_by_side() -> None:
    model = llm.load()
    states = prompt_states(model, "word " * 500, (1, 9))
    assert states.shape == (MAX_TOKENS, 2 * model.shape.width)
    assert prompt_states(model, "neon", (1, 9)).shape[0] < 10
