"""The index in Redis: a vector set, a hash of moments and a set of ids per word, all of one tenant.

Needs the vector sets of Redis 8; `has_vectors` asks for them.  Measured in DESIGN.md: what the numbers below cost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from reverie.server.keys import Keys
from reverie.server.search.fusion import ranked
from reverie.server.search.fusion import words as words_of
from reverie.server.search.index import Filter, text_of
from reverie.server.search.moments import SIDES, Entry, Moment

F32 = NDArray[np.float32]
LINKS = 16  # of a vector to others
BUILD_EF, SEARCH_EF = 200, 160  # candidates looked at while adding, and while searching
WHOLE = "whole"  # no moment's id: a field that is there unless Redis has lost its memory
FILTER_EF = 20_000  # candidates that may be looked at to find some that a filter allows


def has_vectors(redis: Redis) -> bool:
    """Whether this server knows vector sets."""
    try:
        redis.execute_command("VCARD", "reverie:probe")  # 0 of a set that is not there, an error of an unknown command
    except (RedisError, OSError):
        return False
    return True


class RedisIndex:
    """One tenant's moments in one space.  Raises RedisError, OSError when the server is away."""

    def __init__(self, redis: Redis, keys: Keys, tenant: str, space: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._vectors, self._moments = keys.vectors(tenant, space), keys.moments(tenant, space)
        self._word = lambda word: keys.word(tenant, space, word)

    def put(self, entries: Sequence[Entry]) -> None:
        """Sides that a moment had before it has after it too; their vectors are replaced."""
        before = self._texts([entry.moment.id for entry in entries])
        with self._redis.pipeline(transaction=False) as pipe:
            for entry, gone in zip(entries, before, strict=True):
                moment = entry.moment
                held = words_of(text_of(moment))
                for word in gone.difference(held):
                    pipe.srem(self._word(word), moment.id)
                for word in held:
                    pipe.sadd(self._word(word), moment.id)
                pipe.hset(self._moments, moment.id, json.dumps(asdict(moment)))
                for side, vector in entry.vectors.items():
                    self._add(pipe, moment, side, np.ascontiguousarray(vector, "<f4"))
            pipe.execute()

    def _add(self, pipe: Any, moment: Moment, side: str, vector: F32) -> None:
        pipe.execute_command(
            "VADD", self._vectors, "FP32", vector.tobytes(), f"{moment.id}/{side}", "CAS", "Q8", "EF", BUILD_EF,
            "SETATTR", json.dumps(self._attributes(moment, side)), "M", LINKS,
        )  # fmt: skip

    def _drop(self, pipe: Any, name: str) -> None:
        pipe.execute_command("VREM", self._vectors, name)

    def get(self, ids: Sequence[str]) -> list[Moment]:
        raw = self._redis.hmget(self._moments, list(ids)) if ids else []
        return [_moment(each) for each in raw if each is not None]  # type: ignore[union-attr,arg-type]

    def ids(self) -> set[str]:
        return {each.decode() for each in self._redis.hkeys(self._moments)} - {WHOLE}  # type: ignore[union-attr]

    def is_whole(self) -> bool:
        return bool(self._redis.hexists(self._moments, WHOLE))

    def make_whole(self) -> None:
        self._redis.hset(self._moments, WHOLE, "1")

    def remove(self, ids: Iterable[str]) -> None:
        gone = list(ids)
        texts = self._texts(gone)
        with self._redis.pipeline(transaction=False) as pipe:
            for each, words in zip(gone, texts, strict=True):
                for word in words:
                    pipe.srem(self._word(word), each)
                for side in SIDES:
                    self._drop(pipe, f"{each}/{side}")
                pipe.hdel(self._moments, each)
            pipe.execute(raise_on_error=False)  # of a set that is empty, VREM is no error; of another type it is

    def clear(self) -> None:
        self.remove(self.ids())
        self._redis.delete(self._vectors, self._moments)

    def near(self, vector: F32, only: Filter, count: int) -> list[tuple[str, float]]:
        raw = np.ascontiguousarray(vector, "<f4").tobytes()
        asked: list[Any] = ["VSIM", self._vectors, "FP32", raw, "WITHSCORES", "COUNT", 2 * count, "EF", SEARCH_EF]
        if allowed := self._expression(only):
            asked += ["FILTER", allowed, "FILTER-EF", FILTER_EF]
        try:
            found = self._redis.execute_command(*asked)
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise
            found = []  # the set is not there yet, or of another width
        pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        best: dict[str, float] = {}
        for name, score in pairs:
            best.setdefault(name.decode().split("/")[0], 2 * float(score) - 1)  # 0..1 is what Redis makes of a cosine
        return list(best.items())[:count]

    def holding(self, words: Sequence[str]) -> dict[str, float]:
        with self._redis.pipeline(transaction=False) as pipe:
            for word in words:
                pipe.smembers(self._word(word))
            pipe.hlen(self._moments)
            *sets, total = pipe.execute()
        return ranked({word: {i.decode() for i in ids} for word, ids in zip(words, sets, strict=True)}, total)

    def _texts(self, ids: Sequence[str]) -> list[set[str]]:
        """The words that are held for each now."""
        raw = self._redis.hmget(self._moments, list(ids)) if ids else []
        held = lambda each: set() if each is None else set(words_of(text_of(_moment(each))))
        return [held(each) for each in raw]  # type: ignore[union-attr]

    def _attributes(self, moment: Moment, side: str) -> dict[str, Any]:
        return {
            "tenant": tag(self._tenant), "session": tag(moment.session), "style": tag(moment.style), "side": side,
            "begin": moment.begin, "end": moment.end,
        }  # fmt: skip

    def _expression(self, only: Filter) -> str:
        """Redis' own words for a filter.  Names go in as digests: what was typed is never part of an expression."""
        terms = [f'.tenant == "{tag(self._tenant)}"'] if only != Filter() else []
        terms += [f'.session == "{tag(only.session)}"'] if only.session else []
        terms += [f".end > {only.after!r}"] if only.after is not None else []
        terms += [f".begin < {only.before!r}"] if only.before is not None else []
        terms += [f'.style == "{tag(only.style)}"'] if only.style is not None else []
        terms += [f'.side == "{only.side}"'] if only.side in SIDES else []
        return " and ".join(terms)


def tag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _moment(raw: bytes) -> Moment:
    known = json.loads(raw)
    return Moment(**known | {"facts": tuple(known["facts"]), "hints": tuple(known.get("hints", ()))})
