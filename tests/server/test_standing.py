"""What a client is told of its picture, and how often."""

import pytest

from reverie.models.blend import blend
from reverie.server import standing as module
from reverie.server.engine import Look
from reverie.server.standing import Standing

NONE, RED = Look(), Look(name="red", blend=blend("red"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def state(standing: Standing, look: Look = RED, hidden: str = "", behind: bool = False, limited: str = "") -> str:
    """Of the news, "" if there are none."""
    news = standing.news(look, hidden, behind, limited)
    return news.state if news is not None else ""


def test_each_change_is_told_once(clock: list[float]) -> None:
    standing = Standing()
    assert (standing.state, state(standing, NONE), state(standing, NONE)) == ("", "passthrough", "")
    standing.begin()
    assert (state(standing), state(standing), standing.state) == ("styled", "", "styled")
    standing.crashed = "a thread died"
    assert (state(standing), state(standing)) == ("crashed", "")
    assert state(standing, hidden="unfit") == "hidden"  # above all others


def test_a_stall_is_told_once_though_its_limit_changes_and_ends_with_a_frame(clock: list[float]) -> None:
    standing = Standing()
    standing.begin()
    clock[0] += 0.3
    first = standing.news(RED, "", False, "")
    assert first is not None and first.reason == "the model made no frame for 200 ms; the camera is shown"
    standing.made(lag_s=5.0)  # too old to be shown
    clock[0] += 0.3
    standing.made(lag_s=5.0)
    assert (standing.late, state(standing)) == (True, "")
    standing.made(lag_s=0.0)
    assert (standing.late, state(standing)) == (False, "styled")


def test_a_model_that_has_just_been_asked_is_not_late(clock: list[float]) -> None:
    standing = Standing()
    assert standing.late
    standing.begin()
    assert not standing.late
    clock[0] += 0.3
    assert standing.late


def test_who_has_lent_a_place_and_a_lesser_model_are_named(clock: list[float]) -> None:
    standing = Standing()
    lent = standing.news(RED, "", True, "")
    assert lent is not None and lent.state == "stalled" and "the place was lent" in lent.reason
    standing.made(lag_s=0.0)
    lesser = standing.news(RED, "", True, "at 256x256")
    assert lesser is not None and lesser.reason == "red (at 256x256)"
