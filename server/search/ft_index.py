"""The index in a Redis whose query engine (FT.*) is there: Redis Stack, and Redis 8 with its modules.

A hash for each side of a moment holds its vector and what is filtered by; one FT index a tenant and space finds them.
Keywords and moments lie as in `redis_index.py`, under keys of their own: each kind is made anew from the journal.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from reverie.server.keys import Keys
from reverie.server.search.index import Filter
from reverie.server.search.moments import SIDES, Moment
from reverie.server.search.redis_index import BUILD_EF, F32, LINKS, SEARCH_EF, RedisIndex, tag


def has_search(redis: Redis) -> bool:
    """Whether this server knows FT.*, and lets it be used: only the database 0 can be indexed."""
    try:
        redis.execute_command("FT._LIST")
    except (RedisError, OSError):
        return False
    return redis.connection_pool.connection_kwargs.get("db") in (None, 0)


class FtIndex(RedisIndex):
    """One tenant's moments in one space.  Raises RedisError, OSError when the server is away."""

    def __init__(self, redis: Redis, keys: Keys, tenant: str, space: str) -> None:
        super().__init__(redis, keys, tenant, f"{space}:ft")
        self._made = False

    def near(self, vector: F32, only: Filter, count: int) -> list[tuple[str, float]]:
        asked = (
            f"({self._allowed(only)})=>[KNN {2 * count} @vector $asked EF_RUNTIME {max(SEARCH_EF, 2 * count)} AS far]"
        )
        raw = np.ascontiguousarray(vector, "<f4").tobytes()
        try:
            found: Any = self._redis.execute_command(
                "FT.SEARCH", self._vectors, asked, "PARAMS", 2, "asked", raw, "SORTBY", "far", "RETURN", 1, "far",
                "LIMIT", 0, 2 * count, "DIALECT", 2,
            )  # fmt: skip
        except ResponseError as error:
            if not any(each in str(error).lower() for each in ("no such index", "unknown index", "does not match")):
                raise
            return []  # there is none yet, or one of another width
        best: dict[str, float] = {}
        for name, far in _rows(found):
            each = name.decode().rpartition("=")[2].split("/")[0]
            best.setdefault(each, 1 - float(far))
        return list(best.items())[:count]

    def clear(self) -> None:
        super().clear()
        self._made = False
        with suppress(ResponseError):  # there is none
            self._redis.execute_command("FT.DROPINDEX", self._vectors)

    def _add(self, pipe: Any, moment: Moment, side: str, vector: F32) -> None:
        if not self._made:
            self._make(len(vector))
        filtered = {"session": tag(moment.session), "style": tag(moment.style), "side": side,
                    "begin": repr(moment.begin), "end": repr(moment.end)}  # fmt: skip
        pipe.hset(self._key(f"{moment.id}/{side}"), mapping={"vector": vector.tobytes(), **filtered})

    def _drop(self, pipe: Any, name: str) -> None:
        pipe.delete(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._vectors}={name}"

    def _make(self, width: int) -> None:
        hnsw = ("TYPE", "FLOAT32", "DIM", width, "DISTANCE_METRIC", "COSINE", "M", LINKS, "EF_CONSTRUCTION", BUILD_EF)
        try:
            self._redis.execute_command(
                "FT.CREATE", self._vectors, "ON", "HASH", "PREFIX", 1, self._key(""), "NOHL", "NOOFFSETS", "SCHEMA",
                "vector", "VECTOR", "HNSW", len(hnsw), *hnsw, "session", "TAG", "style", "TAG", "side", "TAG",
                "begin", "NUMERIC", "end", "NUMERIC",
            )  # fmt: skip
        except ResponseError as error:
            if "already exists" not in str(error):
                raise
        self._made = True

    @staticmethod
    def _allowed(only: Filter) -> str:
        """The query engine's own words for a filter.  Names go in as digests: what was typed is no part of a query."""
        terms = [f"@session:{{{tag(only.session)}}}"] if only.session else []
        terms += [f"@end:[({only.after!r} +inf]"] if only.after is not None else []
        terms += [f"@begin:[-inf ({only.before!r}]"] if only.before is not None else []
        terms += [f"@style:{{{tag(only.style)}}}"] if only.style is not None else []
        terms += [f"@side:{{{only.side}}}"] if only.side in SIDES else []
        return " ".join(terms) or "*"


def _rows(found: Any) -> list[tuple[bytes, bytes]]:
    """Keys and distances of an answer in either of Redis' protocols, 3 and 2."""
    if isinstance(found, dict):
        return [(row[b"id"], row[b"extra_attributes"][b"far"]) for row in found[b"results"]]
    return [(name, fields[1]) for name, fields in zip(found[1::2], found[2::2], strict=True)]
