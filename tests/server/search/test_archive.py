from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from reverie.models.search.space import unit
from reverie.server.keys import Keys
from reverie.server.search.archive import Archive, Query
from reverie.server.search.index import Filter
from reverie.server.search.moments import Entry, Moment

TENANTS = ("ada", "bob")


def moment(colours, name: str, shows: str, **known: object) -> Entry:  # type: ignore[no-untyped-def]
    return Entry(Moment(name, "s", 1.0, 2.0, caption=shows, **known), {"source": colours.words([shows])[0]})  # type: ignore[arg-type]


def found(archive: Archive, tenant: str, text: str, **known: object) -> list[str]:
    return [hit.moment.id for hit in archive.find(tenant, Query(text, **known))]  # type: ignore[arg-type]


@pytest.fixture(params=["memory", "redis"])
def archive(request: pytest.FixtureRequest, folder: Path, colours) -> Archive:  # type: ignore[no-untyped-def]
    if request.param == "memory":
        return Archive(folder, colours)
    return Archive(folder, colours, request.getfixturevalue("redis"), Keys(uuid.uuid4().hex))


def test_words_find_by_sight_and_by_what_was_said(archive: Archive, colours) -> None:  # type: ignore[no-untyped-def]
    archive.put("ada", moment(colours, "1", "red"))
    archive.put("ada", moment(colours, "2", "blue", words="a piano concert"))
    assert found(archive, "ada", "something red")[0] == "1"
    assert found(archive, "ada", "piano", mode="words") == ["2"]
    assert found(archive, "ada", "the piano in blue")[0] == "2"
    hit = archive.find("ada", Query("red", mode="vector"))[0]
    assert hit.score == hit.cosine == pytest.approx(1, abs=0.02)


def test_a_look_is_found_by_any_name_of_it(archive: Archive, colours) -> None:  # type: ignore[no-untyped-def]
    archive.put("ada", moment(colours, "1", "red", facts=("like pop art",)))
    archive.put("ada", moment(colours, "2", "red", facts=("like pixel art",), style="Minecraft"))
    assert found(archive, "ada", "ピクセルアート", mode="words") == ["2"] == found(archive, "ada", "pixelkunst")[:1]
    assert found(archive, "ada", "warhol", mode="words") == ["1"]


def test_what_may_be_seen_is_a_keyword_and_no_fact(archive: Archive, colours) -> None:  # type: ignore[no-untyped-def]
    archive.put("ada", moment(colours, "1", "red", hints=("wood rabbit",)))
    (hit,) = archive.find("ada", Query("rabbits", mode="words"))
    assert hit.moment.hints == ("wood rabbit",) and hit.moment.facts == () and "rabbit" not in hit.moment.caption


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(TENANTS), st.sampled_from(["red", "green", "blue", "still red"])), max_size=12),
    st.sampled_from(["red", "blue moving", "green"]),
    st.sampled_from(["hybrid", "vector", "words"]),
    st.sampled_from([Filter(), Filter(session="s"), Filter(after=0.0), Filter(style="")]),
)
def test_two_tenants_with_the_same_content_never_see_each_other(  # type: ignore[no-untyped-def]
    archive: Archive, colours, put: list[tuple[str, str]], text: str, mode: str, only: Filter
) -> None:
    archive.delete("ada")
    archive.delete("bob")
    for n, (tenant, words) in enumerate(put):
        archive.put(tenant, moment(colours, f"{tenant}{n}", words))
    for tenant in TENANTS:
        ids = found(archive, tenant, text, mode=mode, only=only)
        assert all(each.startswith(tenant) for each in ids)
        if mode == "vector":
            assert len(ids) == sum(each == tenant for each, _ in put)


def test_an_index_is_made_anew_from_the_journal(folder: Path, colours, redis: Redis) -> None:  # type: ignore[no-untyped-def]
    first = Archive(folder, colours)
    for n in range(5):
        first.put("ada", moment(colours, str(n), "red" if n % 2 else "blue"))
    first.close()
    for archive in (Archive(folder, colours), Archive(folder, colours, redis, Keys(uuid.uuid4().hex))):
        assert set(found(archive, "ada", "red")[:2]) == {"1", "3"}
        archive.close()


def test_what_another_process_puts_is_found(folder: Path, colours) -> None:  # type: ignore[no-untyped-def]
    ours, theirs = Archive(folder, colours), Archive(folder, colours)
    assert found(ours, "ada", "red") == []
    theirs.put("ada", moment(colours, "new", "red"))
    assert found(ours, "ada", "red") == ["new"]


def test_without_redis_memory_answers_and_nothing_is_lost(folder: Path, colours) -> None:  # type: ignore[no-untyped-def]
    away = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))
    archive = Archive(folder, colours, None, Keys("f"))
    archive._redis = away  # it was there when the archive was opened
    archive.put("ada", moment(colours, "1", "red"))
    assert found(archive, "ada", "red") == ["1"]


def test_moments_are_forgotten_by_session_by_tenant_and_by_age(archive: Archive, colours) -> None:  # type: ignore[no-untyped-def]
    now = time.time()
    for name, session, end in (("1", "a", now), ("2", "b", now), ("3", "b", now - 9 * 86_400)):
        archive.put(
            "ada", Entry(Moment(name, session, end - 1, end, caption="red"), {"source": colours.words(["red"])[0]})
        )
    archive.put("bob", moment(colours, "bobs", "red"))
    assert archive.delete("ada", "a") == 1 and set(found(archive, "ada", "red")) == {"2", "3"}
    assert archive.sweep(7, 0) == 2 and found(archive, "ada", "red") == ["2"]  # and bob's, of 1970
    assert archive.delete("ada") == 1 and found(archive, "ada", "red") == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query(), "what to look for"),
        (Query("  "), "what to look for"),
        (Query("a", limit=0), "limit must be 1 to 100, got 0"),
        (Query("a", mode="magic"), "mode must be one of"),
    ],
)
def test_bad_questions_get_a_sentence(folder: Path, colours, query: Query, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words):
        Archive(folder, colours).find("ada", query)


def test_a_tenant_cannot_be_a_path(folder: Path, colours) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="not a tenant"):
        Archive(folder, colours).find("../bob", Query("red"))


def test_like_a_vector_without_words(archive: Archive, colours) -> None:  # type: ignore[no-untyped-def]
    archive.put("ada", moment(colours, "1", "red"))
    archive.put("ada", moment(colours, "2", "blue"))
    hits = archive.find("ada", Query(vector=unit(colours.words(["blue"])[0]), without="2"))
    assert [hit.moment.id for hit in hits] == ["1"]
