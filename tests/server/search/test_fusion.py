from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.server.search.fusion import MAX_WORDS, Place, by_share, fused, in_order, ranked, words


def test_words_are_plain_singular_and_counted_once() -> None:
    assert words("Show me the two CATS, and a café with cats!") == ["2", "cat", "cafe"]
    assert words("waving waved wave") == ["wav", "waved", "wave"]
    assert words("boxes cities dresses glass") == ["box", "city", "dress", "glass"]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_bounded_list_of_plain_words(text: str) -> None:
    found = words(text)
    assert len(found) <= MAX_WORDS and all(word.isalnum() and word.isascii() and len(word) <= 40 for word in found)


def test_rare_words_count_more_and_the_newest_of_equals_is_first() -> None:
    holding = {"cat": {"1", "2", "3"}, "piano": {"2"}}
    assert list(ranked(holding, 10)) == ["2", "3", "1"]
    assert ranked({}, 0) == {}


def test_what_two_rankings_like_comes_before_what_one_does() -> None:
    assert list(fused([in_order("abc"), in_order("bd")])) == ["b", "a", "d", "c"]


@given(st.lists(st.permutations(list("abcdef")), min_size=1, max_size=4))
def test_a_moment_that_no_ranking_puts_lower_is_not_lower(rankings: list[list[str]]) -> None:
    order = list(fused(map(in_order, rankings)))
    for i, one in enumerate(order):
        for other in order[i + 1 :]:
            assert not all(r.index(other) < r.index(one) for r in rankings)


def test_who_holds_part_of_what_was_asked_counts_in_part() -> None:
    shares = ranked({"wild": {"1", "2"}, "cat": {"2"}, "big": set()}, 10)
    assert list(shares) == ["2", "1"] and 0 < shares["1"] < shares["2"] < 1
    assert by_share({"a": 1.0, "b": 0.5, "c": 0.5, "d": 0.2}) == [
        Place("a", 1), Place("b", 2, 0.5), Place("c", 2, 0.5), Place("d", 4, 0.2)
    ]  # fmt: skip
