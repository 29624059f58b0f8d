"""On a real Redis 8 with RediSearch 2.10; the contract itself is in test_index.py."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis

from reverie.models.search.space import unit
from reverie.server.keys import Keys
from reverie.server.search.archive import Archive, Query
from reverie.server.search.ft_index import FtIndex, has_search
from reverie.server.search.index import ExactIndex, Filter
from reverie.server.search.moments import Entry, Moment


def test_the_query_engine_is_found_by_asking(queries: Redis, redis: Redis) -> None:
    other = Redis(unix_socket_path=queries.connection_pool.connection_kwargs["path"], db=1)
    assert has_search(queries) and not has_search(redis) and not has_search(other)
    other.close()


def test_it_finds_what_exact_search_finds(queries: Redis) -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng.standard_normal((400, 64)).astype(np.float32))
    entries = [Entry(Moment(f"{n:03}", f"s{n % 4}", n, n + 1), {"source": v}) for n, v in enumerate(vectors)]
    exact, ours = ExactIndex(), FtIndex(queries, Keys(uuid.uuid4().hex), "local", "random")
    exact.put(entries)
    ours.put(entries)
    for asked in unit(rng.standard_normal((20, 64)).astype(np.float32)):
        for only in (Filter(), Filter(session="s1", after=100)):
            found, true = ours.near(asked, only, 10), exact.near(asked, only, 10)
            assert len({i for i, _ in found} & {i for i, _ in true}) >= 9
            assert abs(found[0][1] - true[0][1]) < 1e-3


def test_an_archive_uses_it_and_tenants_do_not_meet(queries: Redis, folder: Path, colours: Any) -> None:
    archive = Archive(folder, colours, queries, Keys(uuid.uuid4().hex))
    for tenant in ("one", "two"):
        vectors = {"source": colours.words(["red"])[0]}
        archive.put(tenant, Entry(Moment(f"of-{tenant}", "s", 0, 1, caption="a red cat"), vectors))
    assert archive.kind == "redis" and isinstance(archive._shelf("one").index, FtIndex)
    for tenant in ("one", "two"):
        assert [hit.moment.id for hit in archive.find(tenant, Query("red cat"))] == [f"of-{tenant}"]
    assert archive.delete("one") == 1 and archive.find("one", Query("red")) == []
    assert len(archive.find("two", Query("red"))) == 1
    archive.close()
