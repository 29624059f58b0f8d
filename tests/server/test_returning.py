"""Who comes back within half a minute goes on with what it had."""

from reverie.client.protocol import ChangeSettings, Prompt, SetImage
from reverie.server.returning import KEPT_S, MAX_KEPT, NOTHING, Hint, Returning, Visit

HINT = Hint("local", "k", "127.0.0.1", "decart-js-sdk/0.1.20", "lucy")
FIRST, LATER = Prompt("anime"), Prompt("watercolour")


def visit(*messages: Prompt | SetImage | ChangeSettings) -> Visit:
    made = Visit(None, ())
    for each in messages:
        made = made.after(each)
    return made


def test_what_counts_of_what_was_said() -> None:
    picture = SetImage("aGk=", None, "mosaic")
    assert visit(FIRST, picture, LATER).said == (picture, LATER)
    assert visit(FIRST, ChangeSettings(0.5), picture).said == (ChangeSettings(0.5), picture)
    assert visit(picture, NOTHING).said == (NOTHING,)
    assert visit(ChangeSettings(0.5), FIRST, LATER).first == FIRST


def test_a_client_that_begins_as_before_or_with_nothing_goes_on_once() -> None:
    returning = Returning()
    for first in (FIRST, NOTHING):
        returning.keep(HINT, visit(FIRST, LATER))
        back = returning.back(HINT, first)
        assert back is not None and back.said == (LATER,)
        assert returning.back(HINT, first) is None


def test_who_asks_for_something_else_or_is_somebody_else_begins_anew() -> None:
    returning = Returning()
    returning.keep(HINT, visit(FIRST, LATER))
    assert returning.back(HINT, Prompt("pencil")) is None
    for other in (
        Hint("x", *_rest()),
        Hint("local", "other", *_rest()[1:]),
        Hint("local", "k", "10.0.0.1", *_rest()[2:]),
    ):
        assert returning.back(other, FIRST) is None
    assert returning.back(HINT, FIRST) is not None


def _rest() -> tuple[str, str, str, str]:
    return HINT.credential, HINT.address, HINT.program, HINT.model


def test_it_is_kept_for_half_a_minute_and_of_a_flood_only_the_newest() -> None:
    now = 0.0
    returning = Returning(lambda: now)
    returning.keep(HINT, visit(FIRST, LATER))
    now = KEPT_S - 0.1
    returning.keep(Hint("b", *_rest()), visit(FIRST))
    now = KEPT_S
    assert returning.back(HINT, FIRST) is None
    for number in range(MAX_KEPT + 1):
        returning.keep(Hint(str(number), *_rest()), visit(FIRST))
    assert returning.back(Hint("b", *_rest()), FIRST) is None
    assert returning.back(Hint("1", *_rest()), FIRST) is not None
    returning.keep(HINT, visit())
    assert returning.back(HINT, NOTHING) is None


def test_a_client_that_is_back_before_its_loss_is_noticed_is_told_then_once() -> None:
    returning, found = Returning(), []  # type: ignore[var-annotated]
    returning.expect(HINT, NOTHING, found.append)
    returning.keep(Hint("b", *_rest()), visit(FIRST))
    assert not found
    returning.keep(HINT, visit(FIRST, LATER))
    assert [each.said for each in found] == [(LATER,)]
    returning.keep(HINT, visit(FIRST))
    assert len(found) == 1 and returning.back(HINT, FIRST) is not None
    returning.expect(HINT, NOTHING, found.append)
    returning.decline(found.append)
    returning.keep(HINT, visit(FIRST))
    assert len(found) == 1
