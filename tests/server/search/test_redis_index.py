import uuid

import numpy as np
from redis import Redis
from redis.exceptions import ResponseError

from reverie.models.search.space import unit
from reverie.server.keys import Keys
from reverie.server.search.index import ExactIndex, Filter
from reverie.server.search.moments import Entry, Moment
from reverie.server.search.redis_index import RedisIndex, has_vectors


def test_vector_sets_are_found_by_asking(redis: Redis) -> None:
    class Old:
        def execute_command(self, *words: str) -> None:
            raise ResponseError("unknown command 'VCARD'")  # what Redis 7 says

    assert has_vectors(redis) and not has_vectors(Old())  # type: ignore[arg-type]


def test_redis_finds_what_exact_search_finds(redis: Redis) -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng.standard_normal((400, 64)).astype(np.float32))
    entries = [Entry(Moment(f"{n:03}", f"s{n % 4}", n, n + 1), {"source": v}) for n, v in enumerate(vectors)]
    exact, ours = ExactIndex(), RedisIndex(redis, Keys(uuid.uuid4().hex), "local", "random")
    exact.put(entries)
    ours.put(entries)
    shared = 0
    for asked in unit(rng.standard_normal((20, 64)).astype(np.float32)):
        for only in (Filter(), Filter(session="s1", after=100)):
            shared += len({i for i, _ in exact.near(asked, only, 10)} & {i for i, _ in ours.near(asked, only, 10)})
    assert shared >= 0.95 * 20 * 2 * 10


def test_tenants_and_spaces_have_keys_of_their_own(redis: Redis) -> None:
    keys = Keys(uuid.uuid4().hex)
    mine, theirs = RedisIndex(redis, keys, "mine", "s"), RedisIndex(redis, keys, "theirs", "s")
    other = RedisIndex(redis, keys, "mine", "t")
    mine.put([Entry(Moment("m", "s", 0, 1, caption="cat"), {"source": unit(np.ones(8, np.float32))})])
    for index in (theirs, other):
        assert index.ids() == set() and index.holding(["cat"]) == {}
        assert index.near(unit(np.ones(8, np.float32)), Filter(), 5) == []
