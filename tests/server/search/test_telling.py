from hypothesis import given
from hypothesis import strategies as st

from reverie.server.search.moments import Moment, caption
from reverie.server.search.telling import chapters, counted, digest, maybe, phrased, unsupported

FACTS = ("2 people", "espresso", "bright warm light", "mostly blue and white", "lively movement")


def test_the_template_says_the_facts_and_nothing_else() -> None:
    said = caption(FACTS, "watercolour")
    assert said == "2 people, espresso, bright warm light, mostly blue and white, lively movement; look: watercolour"
    assert unsupported(said, (*FACTS, "watercolour")) == [] and caption((), "") == ""


def test_a_sentence_that_invents_is_thrown_away() -> None:
    good = "Two people with an espresso in bright, warm light and lively movement."
    assert phrased(FACTS, good, "neon") == f"{good[:-1]}; mostly blue and white; look: neon"
    for bad in ("Two people and a dog in bright light", "A birthday party", "", "A man waves"):
        assert phrased(FACTS, bad) == caption(FACTS)
    assert unsupported("Two people and a dog", FACTS) == ["dog"]


@given(st.text(max_size=80))
def test_whatever_is_written_a_caption_names_only_what_was_measured(text: str) -> None:
    assert unsupported(phrased(FACTS, text), FACTS) == []


def test_people_are_told_of_by_faces_and_an_outline_alone_is_a_keyword() -> None:
    assert counted(1, None) == ["1 person"] and counted(3, 0.5) == ["3 people"]
    assert counted(0, 0.0) == ["nobody"] and counted(0, None) == [] == counted(0, 0.04) == counted(0, 0.3)
    assert maybe(0, 0.3) == ["somebody", "person"] and maybe(1, 0.3) == [] == maybe(0, None) == maybe(0, 0.04)


def test_a_digest_has_a_line_a_moment_in_their_order() -> None:
    moments = [Moment("b", "s", 3661.0, 3665.0, caption="later"), Moment("a", "s", 1.0, 4.0, facts=("nobody",))]
    assert digest(moments) == "00:00:01 - 00:00:04  Nobody\n01:01:01 - 01:01:05  later\n"
    assert digest([]) == ""


def test_chapters_are_webvtt_relative_to_the_recording() -> None:
    text = chapters([Moment("a", "s", 100.5, 103.0, caption="a <b> --> & c\nd"), Moment("b", "s", 103, 103)], 100.0)
    assert text.startswith("WEBVTT\n\n1\n00:00:00.500 --> 00:00:03.000\na &lt;b> → &amp; c d\n\n2\n")
    assert "00:00:03.000 --> 00:00:03.001" in text
