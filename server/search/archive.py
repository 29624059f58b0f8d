"""The moments of all tenants: a journal and an index for each, and what is asked of them.

Blocking; `service.py` calls it on threads of its own, the command line directly.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from redis import Redis
from redis.exceptions import RedisError

from reverie.models.search.space import Space
from reverie.server.access import NAME
from reverie.server.keys import Keys
from reverie.server.search.cold import Cold
from reverie.server.search.ft_index import FtIndex, has_search
from reverie.server.search.fusion import Place, by_share, fused, in_order, words
from reverie.server.search.index import ALL, ExactIndex, Filter, Index, look_word
from reverie.server.search.journal import Journal
from reverie.server.search.moments import Entry, Moment
from reverie.server.search.redis_index import RedisIndex, has_vectors

log = logging.getLogger(__name__)
MODES = ("hybrid", "vector", "words")
MAX_LIMIT, DEEPER = 100, 5  # answers at most; so many times more are ranked before filters and fusion
BATCH = 256  # moments that are put into an index at once
F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: words, something like a vector, or both."""

    text: str = ""
    vector: F32 | None = None
    only: Filter = ALL
    limit: int = 20
    mode: str = "hybrid"
    without: str = ""  # the id of a moment that is not an answer: the one that others shall be like


@dataclass(frozen=True, slots=True)
class Hit:
    moment: Moment
    score: float  # of the fusion, or the cosine where only vectors were compared
    cosine: float | None  # with what was asked, if vectors were compared and it is among the nearest


@dataclass(slots=True)
class Shelf:
    """One tenant's."""

    journal: Journal
    index: Index
    cold: Cold
    seq: int = 0  # of the journal, up to which the index has everything


class Archive:
    """Calls may come from any thread."""

    def __init__(
        self, folder: Path, space: Space, redis: Redis | None = None, keys: Keys | None = None, cells: str = ""
    ) -> None:
        """Args:
        redis: with FT.* or vector sets, or the index is in memory; keys: of its fleet.
        cells: where vectors go that outgrow memory, as fsspec knows it; "" is beside the journal.
        """
        self._cells = cells.rstrip("/")
        self.space, self._folder, self._keys = space, folder, keys
        self._queries = redis is not None and has_search(redis)
        self._redis = redis if redis is not None and (self._queries or has_vectors(redis)) else None
        self._shelves: dict[str, Shelf] = {}
        self._lock = threading.RLock()

    @property
    def kind(self) -> str:
        """Where the index is: redis or memory."""
        return "redis" if self._redis is not None else "memory"

    def journal(self, tenant: str) -> Journal:
        return self._shelf(tenant).journal

    def put(self, tenant: str, entry: Entry, thumbnails: Mapping[tuple[str, int], bytes] | None = None) -> None:
        """Keep a moment, or what has become of it; it is found from now on."""
        shelf = self._shelf(tenant)
        shelf.journal.put(entry, self.space.name, thumbnails)
        self._follow(tenant, shelf)

    def find(self, tenant: str, query: Query) -> list[Hit]:
        """Best first.  Raises: ValueError if nothing is asked or the mode is not known."""
        if query.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {query.mode[:20]!r}")
        if not 1 <= query.limit <= MAX_LIMIT:
            raise ValueError(f"limit must be 1 to {MAX_LIMIT}, got {query.limit}")
        if not query.text.strip() and query.vector is None:
            raise ValueError("say what to look for: words, a picture, a clip or a moment")
        shelf = self._shelf(tenant)
        self._follow(tenant, shelf)
        try:
            return self._find(shelf, query)
        except (RedisError, OSError) as error:
            log.warning("Redis cannot be asked, memory answers: %s", type(error).__name__)
            return self._find(self._in_memory(tenant), query)

    def _find(self, shelf: Shelf, query: Query) -> list[Hit]:
        deep = DEEPER * query.limit
        rankings, cosines = [], dict[str, float]()
        if query.mode != "words" or not query.text.strip():
            asked = [query.vector] if query.vector is not None else []
            asked += list(self.space.words([query.text])) if query.text.strip() else []
            for vector in (np.asarray(each, np.float32) for each in asked):
                near = _best(shelf.index.near(vector, query.only, deep), shelf.cold.near(vector, query.only, deep))
                rankings.append(in_order([each for each, _ in near]))
                cosines |= {each: cosine for each, cosine in near if each not in cosines}
        if query.mode != "vector":
            looks = self.space.looks(query.text)
            rankings.append(
                by_share(self._holding(shelf, query, words(" ".join((query.text, *map(look_word, looks))))))
            )
            worn = [self._holding(shelf, query, words(look_word(look))) for look in looks]
            rankings.append([Place(each, rank) for rank, own in enumerate(worn, 1) for each in own])
        scores = fused(rankings)
        scores.pop(query.without, None)
        best = list(scores)[: query.limit]
        only_cosines = sum(map(bool, rankings)) == 1 and bool(cosines)
        return [
            Hit(each, cosines[each.id] if only_cosines else scores[each.id], cosines.get(each.id))
            for each in self._moments(shelf, best)
        ]

    def _holding(self, shelf: Shelf, query: Query, asked: Sequence[str]) -> dict[str, float]:
        """Moments that hold some of the words and that the filter allows, best first, with their shares."""
        if not asked:
            return {}
        deep = DEEPER * query.limit
        found = dict(_best(shelf.index.holding(asked).items(), shelf.cold.holding(asked).items())[: 20 * deep])
        allowed = [each.id for each in self._moments(shelf, list(found)) if query.only.allows(each)]
        return {each: found[each] for each in allowed[:deep]}

    def _moments(self, shelf: Shelf, ids: Sequence[str]) -> list[Moment]:
        """In that order, from memory or else the journal."""
        known = {each.id: each for each in shelf.index.get(ids)}
        missing = [each for each in ids if each not in known]
        known |= {each.moment.id: each.moment for each in (shelf.journal.entries(missing) if missing else ())}
        return [known[each] for each in ids if each in known]

    def delete(self, tenant: str, session: str | None = None, ids: tuple[str, ...] = ()) -> int:
        """A session's moments, some, or all of a tenant's; how many there were."""
        shelf = self._shelf(tenant)
        gone = shelf.journal.delete(session, ids)
        shelf.index.remove(gone)
        if session is None and not ids:
            shelf.index.clear()
        return len(gone)

    def cool(self, tenant: str, keep: int, days: float = math.inf) -> int:
        """Move to cells what is older than so many days, and the oldest of more moments than are kept in memory."""
        shelf, moved = self._shelf(tenant), 0
        numbers = shelf.journal.overflow(self.space.name, keep, time.time() - days * 86_400)
        with shelf.cold.alone() as mine:
            if mine and numbers:
                gone = shelf.cold.cool(numbers)
                shelf.index.remove(gone)
                moved = len(gone)
            if mine:
                shelf.cold.compact()
        return moved

    def sweep(self, days: float, thumbnail_bytes: int) -> int:
        """Forget what is older than so many days, and each tenant's oldest thumbnails over a size."""
        count = 0
        for tenant in self.tenants():
            shelf = self._shelf(tenant)
            gone = shelf.journal.delete(ended_before=time.time() - days * 86_400)
            shelf.index.remove(gone)
            shelf.journal.cap_thumbnails(thumbnail_bytes)
            count += len(gone)
        return count

    def tenants(self) -> list[str]:
        """All that have moments here."""
        return sorted(
            path.parent.name for path in self._folder.glob("*/moments.sqlite") if NAME.fullmatch(path.parent.name)
        )

    def close(self) -> None:
        with self._lock:
            for shelf in self._shelves.values():
                shelf.journal.close()
            self._shelves.clear()

    def _shelf(self, tenant: str) -> Shelf:
        if not NAME.fullmatch(tenant):
            raise ValueError(f"{tenant[:80]!r} is not a tenant's name")
        with self._lock:
            if tenant not in self._shelves:
                journal = Journal(self._folder / tenant / "moments.sqlite")
                self._shelves[tenant] = Shelf(journal, self._index(tenant), self._cold(tenant, journal))
            return self._shelves[tenant]

    def _cold(self, tenant: str, journal: Journal) -> Cold:
        folder, place = self._folder / tenant, f"{journal.name}/{self.space.name}"
        url = f"{self._cells}/{tenant}/{place}" if self._cells else str(folder / "cells" / place)
        return Cold(journal, self.space.name, url, folder / "cells.lock")

    def _index(self, tenant: str) -> Index:
        if self._redis is not None and self._keys is not None:
            kind = FtIndex if self._queries else RedisIndex
            return kind(self._redis, self._keys, tenant, self.space.name)
        return ExactIndex()

    def _in_memory(self, tenant: str) -> Shelf:
        """The same moments in an index of their own, while Redis is away."""
        shelf = replace(self._shelf(tenant), index=ExactIndex(), seq=0)
        self._follow(tenant, shelf)
        return shelf

    def _follow(self, tenant: str, shelf: Shelf) -> None:
        """Bring the index to where the journal is: what others wrote; all that it has not, if it begins or was lost."""
        with self._lock:
            try:
                if not (whole := shelf.index.is_whole()):
                    shelf.seq = 0
                elif shelf.seq == shelf.journal.last():
                    return
                seq, entries = shelf.journal.since(shelf.seq, self.space.name)
                if shelf.seq == 0 and isinstance(shelf.index, RedisIndex):
                    held = shelf.index.ids()
                    shelf.index.remove(shelf.journal.cold_among(held))  # a crash left them
                    entries = [each for each in entries if each.moment.id not in held]
                for n in range(0, len(entries), BATCH):
                    shelf.index.put(entries[n : n + BATCH])
                shelf.seq = seq
                if not whole:
                    shelf.index.make_whole()
            except (RedisError, OSError) as error:
                log.warning("Redis does not take moments, they wait in the journal: %s", type(error).__name__)


def _best(*parts: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Several rankings in one, by score; of an id in two of them the better counts."""
    scores: dict[str, float] = {}
    for each, score in (pair for part in parts for pair in part):
        scores[each] = max(score, scores.get(each, -math.inf))
    return sorted(scores.items(), key=lambda pair: pair[1], reverse=True)
