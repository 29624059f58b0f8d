"""What is kept of a tenant's moments, in one SQLite file each: every index can be made anew from it.

A file is one tenant's, so no question can reach another's.  Several processes may use it at once (WAL).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from reverie.server.search.index import ALL, Filter
from reverie.server.search.moments import SIDES, Entry, Moment

BUSY_S = 10.0
FIELDS = ("id", "session", "begin", "end", "style", "caption", "facts", "words", "media", "media_s", "hints")
COLUMNS = f"seq, {', '.join(FIELDS)}"
ALLOWED = "(? = '' OR session = ?) AND (? IS NULL OR end > ?) AND (? IS NULL OR begin < ?) AND (? IS NULL OR style = ?)"
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS moments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, session TEXT NOT NULL, begin REAL NOT NULL,
  end REAL NOT NULL, style TEXT NOT NULL, caption TEXT NOT NULL, facts TEXT NOT NULL, words TEXT NOT NULL,
  media TEXT NOT NULL, media_s REAL NOT NULL, hints TEXT NOT NULL DEFAULT '[]', space TEXT NOT NULL,
  source BLOB, output BLOB, cold INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_session ON moments (session, begin);
CREATE INDEX IF NOT EXISTS by_time ON moments (end);
CREATE TABLE IF NOT EXISTS thumbnails (id TEXT, side TEXT, n INTEGER, webp BLOB, PRIMARY KEY (id, side, n));
CREATE TABLE IF NOT EXISTS cold_words (word TEXT, seq INTEGER, PRIMARY KEY (word, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cold_by_seq ON cold_words (seq);
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS footage (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, done INTEGER NOT NULL);
"""


class Journal:
    """One tenant's.  Calls may come from any thread.  Raises sqlite3.Error when the disk cannot be written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)
        columns = {row[1] for row in self._db.execute("PRAGMA table_info(moments)")}
        for column in ("hints TEXT NOT NULL DEFAULT '[]'", "cold INTEGER NOT NULL DEFAULT 0"):
            if column.split()[0] not in columns:  # of an older version
                self._db.execute(f"ALTER TABLE moments ADD COLUMN {column}")
        self._db.execute("INSERT OR IGNORE INTO about VALUES ('name', ?)", (secrets.token_hex(6),))
        self.name = str(self._db.execute("SELECT value FROM about WHERE name = 'name'").fetchone()[0])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def put(self, entry: Entry, space: str, thumbnails: Mapping[tuple[str, int], bytes] | None = None) -> None:
        """Add a moment, or what has become of it.  Args: thumbnails: (side, number) -> WebP; others stay."""
        m = entry.moment
        blobs = [_bytes(entry.vectors[side]) if side in entry.vectors else None for side in SIDES]
        row = (m.id, m.session, m.begin, m.end, m.style, m.caption, json.dumps(m.facts), m.words, m.media, m.media_s,
               json.dumps(m.hints))  # fmt: skip
        with self._writing() as db:
            db.execute("DELETE FROM cold_words WHERE seq IN (SELECT seq FROM moments WHERE id = ?)", (m.id,))
            db.execute("DELETE FROM moments WHERE id = ?", (m.id,))  # a new number: whoever follows the journal sees it
            db.execute(
                f"INSERT INTO moments ({', '.join(FIELDS)}, space, source, output) VALUES ({', '.join('?' * 14)})",
                (*row, space, *blobs),
            )
            db.executemany(
                "INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?, ?)",
                [(m.id, side, n, webp) for (side, n), webp in (thumbnails or {}).items()],
            )

    def since(self, seq: int, space: str) -> tuple[int, list[Entry]]:
        """What was put after a number and is not cold, and the number that it ends with; 0 is the beginning."""
        with self._lock:
            last = self.last()
            rows = self._db.execute(
                f"SELECT {COLUMNS}, source, output FROM moments "
                "WHERE seq > ? AND seq <= ? AND space = ? AND NOT cold ORDER BY seq", (seq, last, space),
            ).fetchall()  # fmt: skip
        return max(seq, last), [_entry(row) for row in rows]

    def last(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM moments").fetchone()[0])

    def entries(self, ids: Sequence[str] = (), session: str = "") -> list[Entry]:
        """Of some ids, or of a session in order of time."""
        where = f"id IN ({_marks(ids)})" if ids else "session = ?"
        with self._lock:
            rows = self._db.execute(
                f"SELECT {COLUMNS}, source, output FROM moments WHERE {where} ORDER BY begin",
                tuple(ids) or (session,),
            ).fetchall()
        return [_entry(row) for row in rows]

    def newest(self, count: int, only: Filter = ALL) -> list[Moment]:
        """The last moments that a filter allows; a side is a matter of vectors."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {COLUMNS}, NULL, NULL FROM moments WHERE {ALLOWED} ORDER BY begin DESC LIMIT ?",
                (*_allowed(only), count),
            ).fetchall()
        return [_entry(row).moment for row in rows]

    def thumbnail(self, each: str, side: str, n: int) -> bytes | None:
        """The n-th of a moment; the last one if there are fewer."""
        with self._lock:
            row = self._db.execute(
                "SELECT webp FROM thumbnails WHERE id = ? AND side = ? AND n <= ? ORDER BY n DESC LIMIT 1",
                (each, side, n),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def thumbnails(self, ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many thumbnails there are: id -> side -> count."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT id, side, COUNT(*) FROM thumbnails WHERE id IN ({_marks(ids)}) GROUP BY id, side",
                tuple(ids),
            ).fetchall()
        found: dict[str, dict[str, int]] = {each: {} for each in ids}
        for each, side, count in rows:
            found[each][side] = count
        return found

    def delete(
        self, session: str | None = None, ids: Iterable[str] = (), ended_before: float | None = None
    ) -> list[str]:
        """Forget moments and their thumbnails: of a session, some, or old ones; nothing said is all.  Returns: ids."""
        some = list(ids)
        if some:
            where, given = f"id IN ({_marks(some)})", tuple[object, ...](some)
        elif session is not None:
            where, given = "session = ?", (session,)
        elif ended_before is not None:
            where, given = "end < ?", (ended_before,)
        else:
            where, given = "1", ()
        with self._writing() as db:
            gone = [row[0] for row in db.execute(f"SELECT id FROM moments WHERE {where}", given)]
            cold = db.execute(f"SELECT COUNT(*) FROM moments WHERE cold AND {where}", given).fetchone()[0]
            db.execute(f"DELETE FROM cold_words WHERE seq IN (SELECT seq FROM moments WHERE cold AND {where})", given)
            _count(db, "deleted cold", cold)
            db.execute(f"DELETE FROM thumbnails WHERE id IN (SELECT id FROM moments WHERE {where})", given)
            db.execute(f"DELETE FROM moments WHERE {where}", given)
            if where == "1":
                db.execute("DELETE FROM footage")
        return gone

    def overflow(self, space: str, keep: int, ended_before: float) -> list[int]:
        """Numbers of moments that are in memory and shall not stay there: old ones, and the oldest of too many."""
        with self._lock:
            rows = self._db.execute(
                "SELECT seq FROM (SELECT seq, end, ROW_NUMBER() OVER (ORDER BY end DESC) AS place FROM moments "
                "WHERE space = ? AND NOT cold) WHERE place > ? OR end < ? ORDER BY seq", (space, keep, ended_before),
            ).fetchall()  # fmt: skip
        return [row[0] for row in rows]

    def numbered(self, numbers: Sequence[int]) -> list[tuple[int, Entry]]:
        with self._lock:
            rows = self._db.execute(
                f"SELECT {COLUMNS}, source, output FROM moments WHERE seq IN ({_marks(numbers)})", tuple(numbers)
            ).fetchall()
        return [(row[0], _entry(row)) for row in rows]

    def make_cold(self, words: Mapping[int, Iterable[str]]) -> None:
        """Mark moments, by number, as cold, and keep their keywords."""
        with self._writing() as db:
            db.executemany("UPDATE moments SET cold = 1 WHERE seq = ?", [(seq,) for seq in words])
            db.executemany(
                "INSERT OR IGNORE INTO cold_words VALUES (?, ?)", [(w, seq) for seq, own in words.items() for w in own]
            )

    def cold_numbers(self, space: str, only: Filter) -> set[int]:
        """Of the cold moments that a filter allows."""
        asked = f"SELECT seq FROM moments WHERE space = ? AND cold AND {ALLOWED}"
        with self._lock:
            return {row[0] for row in self._db.execute(asked, (space, *_allowed(only)))}

    def cold_holding(self, space: str, word: str, limit: int) -> set[str]:
        """Ids of cold moments with a keyword, at most so many, the newest."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id FROM cold_words JOIN moments USING (seq) WHERE word = ? AND space = ? AND cold "
                "ORDER BY seq DESC LIMIT ?", (word, space, limit),
            ).fetchall()  # fmt: skip
        return {row[0] for row in rows}

    def names(self, numbers: Iterable[int]) -> dict[int, str]:
        """The ids of cold moments by their numbers; what was deleted has none."""
        asked, found = list(numbers), dict[int, str]()
        with self._lock:
            for n in range(0, len(asked), 5000):
                some = asked[n : n + 5000]
                rows = self._db.execute(f"SELECT seq, id FROM moments WHERE cold AND seq IN ({_marks(some)})", some)
                found |= dict(rows.fetchall())
        return found

    def cold_among(self, ids: Iterable[str]) -> list[str]:
        asked, found = list(ids), list[str]()
        with self._lock:
            for n in range(0, len(asked), 5000):
                some = asked[n : n + 5000]
                rows = self._db.execute(f"SELECT id FROM moments WHERE cold AND id IN ({_marks(some)})", some)
                found += [row[0] for row in rows]
        return found

    def count_cold(self, space: str) -> int:
        with self._lock:
            asked = "SELECT COUNT(*) FROM moments WHERE cold AND space = ?"
            return int(self._db.execute(asked, (space,)).fetchone()[0])

    def deleted_cold(self, more: int = 0) -> int:
        """How many cold moments were deleted whose vectors are still in cells; changed by so many."""
        with self._writing() as db:
            return _count(db, "deleted cold", more)

    def cap_thumbnails(self, limit: int) -> int:
        """Keep at most so many bytes of them, the newest; how many were dropped."""
        with self._writing() as db:
            cut = db.execute(
                "SELECT rowid FROM (SELECT rowid, SUM(LENGTH(webp)) OVER (ORDER BY id DESC, side, n) AS whole "
                "FROM thumbnails) WHERE whole > ?", (limit,),
            ).fetchall()  # fmt: skip
            db.executemany("DELETE FROM thumbnails WHERE rowid = ?", cut)
        return len(cut)

    def footage(self, path: str) -> tuple[str, int]:
        """The stamp of a file when it was indexed, and how many of its windows are done."""
        with self._lock:
            row = self._db.execute("SELECT stamp, done FROM footage WHERE path = ?", (path,)).fetchone()
        return ("", 0) if row is None else (str(row[0]), int(row[1]))

    def note_footage(self, path: str, stamp: str, done: int) -> None:
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO footage VALUES (?, ?, ?)", (path, stamp, done))

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _count(db: sqlite3.Connection, name: str, more: int) -> int:
    db.execute("INSERT OR IGNORE INTO about VALUES (?, '0')", (name,))
    db.execute("UPDATE about SET value = value + ? WHERE name = ?", (more, name))
    return int(db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()[0])


def _allowed(only: Filter) -> list[object]:
    """What `ALLOWED` asks for."""
    return [each for each in (only.session, only.after, only.before, only.style) for _ in range(2)]


def _marks(given: Sequence[object]) -> str:
    return ", ".join("?" * len(given))


def _bytes(vector: np.ndarray) -> bytes:  # type: ignore[type-arg]
    return np.asarray(vector, "<f2").tobytes()


def _entry(row: tuple) -> Entry:  # type: ignore[type-arg]
    _, *known, source, output = row
    fields = dict(zip(FIELDS, known, strict=True))
    fields |= {name: tuple(json.loads(fields[name])) for name in ("facts", "hints")}
    blobs = dict(zip(SIDES, (source, output), strict=True))
    vectors = {side: np.frombuffer(blob, "<f2").astype(np.float32) for side, blob in blobs.items() if blob is not None}
    return Entry(Moment(**fields), vectors)
