"""Whose wish counts, and when it is worn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.client.wishes import MAX_PROMPT, Line, Queue, Rules, Vote, Wish, clean

ANN, MOD = Line("ann", "!look  film   noir", False), Line("mod", "!LOOK red", True)


def test_cooldown_lists_and_moderators() -> None:
    rules = Rules(cooldown_s=10)
    assert [rules.wish(ANN, now) for now in (0, 9, 10)] == [Wish("ann", "film noir"), None, Wish("ann", "film noir")]
    assert [rules.wish(MOD, now) for now in (0, 1)] == [Wish("mod", "red")] * 2
    assert Rules(moderators_only=True).wish(ANN, 0) is None
    assert Rules(moderators_only=True).wish(MOD, 0) is not None
    assert Rules(allow=frozenset({"bob"})).wish(ANN, 0) is None
    assert Rules(allow=frozenset({"ann"})).wish(ANN, 0) is not None
    assert Rules(deny=frozenset({"ann"})).wish(ANN, 0) is None
    assert Rules().wish(Line("ann", "hello", False), 0) is None
    assert Rules().wish(Line("ann", "!look", False), 0) is None


def test_who_paid_waits_for_nobody_but_not_everything_may_be_said() -> None:
    rules = Rules(moderators_only=True, deny=frozenset({"eve"}), words=("blood",))
    paid = lambda user, text: Line(user, text, False, paid=True)
    assert [rules.wish(paid("ann", "rain"), now) for now in (0, 1)] == [Wish("ann", "rain")] * 2
    assert rules.wish(paid("eve", "rain"), 0) is None
    assert rules.wish(paid("ann", "a BLOODY sea"), 0) is None
    assert Rules(words=("blood",)).wish(Line("ann", "!look blood", False), 0) is None


@given(st.text(max_size=400))
def test_a_prompt_is_one_short_line_that_shows(text: str) -> None:
    prompt = clean(text)
    assert len(prompt) <= MAX_PROMPT and prompt == prompt.strip()
    assert all(letter.isprintable() for letter in prompt) and "://" not in prompt


def test_a_queue_holds_each_look_for_a_while_and_one_wish_of_each_viewer() -> None:
    queue = Queue(hold_s=10, most=2)
    assert queue.due(0) is None
    assert queue.add(Wish("ann", "a"), 0) and queue.add(Wish("bob", "b"), 0) and queue.add(Wish("ann", "c"), 0)
    assert not queue.add(Wish("cat", "d"), 0)
    assert queue.due(0) == Wish("bob", "b")
    assert queue.due(9) is None
    assert queue.due(10) == Wish("ann", "c")
    assert queue.due(30) is None


def test_without_holding_looks_are_worn_at_once() -> None:
    queue = Queue(hold_s=0)
    queue.add(Wish("ann", "a"), 0)
    queue.add(Wish("bob", "b"), 0)
    assert [queue.due(0), queue.due(0), queue.due(0)] == [Wish("ann", "a"), Wish("bob", "b"), None]


@pytest.mark.parametrize(
    "votes, winner",
    [
        ([("ann", "rain"), ("bob", "Snow"), ("cat", "snow")], "Snow"),
        ([("ann", "rain"), ("bob", "snow")], "rain"),
        ([("ann", "rain"), ("bob", "snow"), ("ann", "snow")], "snow"),
    ],
)
def test_most_voices_win_and_each_viewer_has_one(votes: list[tuple[str, str]], winner: str) -> None:
    vote = Vote(round_s=10)
    assert vote.due(0) is None
    for user, prompt in votes:
        assert vote.add(Wish(user, prompt), 5)
    assert vote.due(14) is None
    won = vote.due(15)
    assert won is not None and won.prompt == winner
    assert vote.due(100) is None
