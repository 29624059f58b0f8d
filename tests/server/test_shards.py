"""Workers in processes of their own: they die and are replaced, and end with who asked."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reverie.models.toy import ToyModel, ToyStream
from reverie.server import chunks, shards
from reverie.server.chunks import OVERLAP
from reverie.server.restyle import Job
from reverie.server.shards import ProcessWorker, Shard, Shop, WorkerDied
from reverie.server.video import Reader


def cut(clip: Path, output: Path, prompt: str = "red") -> list[Shard]:
    reader = Reader(clip)
    made = chunks.plan(reader, 0.7)
    reader.close()
    job = Job(clip, output, prompt, "toy", "cpu", 1.0, 0, None, False)
    return [Shard(job, chunk, output.parent) for chunk in made]


def test_who_painted_the_chunk_before_goes_on_with_its_stream(
    make_clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Counted(ToyStream):
        def start(self, *arguments: Any) -> None:
            seen.append(0)
            super().start(*arguments)

        def step(self, frames: np.ndarray) -> np.ndarray:
            seen[-1] += 1
            return super().step(frames)

    class Model(ToyModel):
        def stream(self) -> ToyStream:
            return Counted(self)

    monkeypatch.setattr(shards.registry, "load", lambda *name: Model())
    first, second, third = cut(make_clip("in.mp4", count=48, options={"g": "10"}), tmp_path / "out.mp4")
    shop = Shop()
    for shard in (first, second, first, third):
        shop.paint(shard)
    assert seen == [40, 20, 1 + OVERLAP + 8]


def test_a_worker_that_is_killed_says_so_and_works_again(make_clip: Any, tmp_path: Path) -> None:
    (shard,) = cut(make_clip("in.mp4"), tmp_path / "out.mp4", "crawl")
    worker = ProcessWorker()
    try:
        assert worker.enrich(shard.job).result(60) == "crawl, in blue"
        (process,) = worker._executor._processes.values()
        painting = worker.paint(shard)
        os.kill(process.pid or 0, signal.SIGKILL)
        with pytest.raises(WorkerDied):
            painting.result(60)
        assert worker.enrich(shard.job).result(60) == "crawl, in blue"
        with pytest.raises(FileNotFoundError):
            worker.paint(
                Shard(Job(Path("none.mp4"), *[getattr(shard.job, f) for f in Job.__slots__[1:]]), shard.chunk, tmp_path)
            ).result(60)
    finally:
        worker.close()


def test_a_workers_process_ends_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import time\nfrom pathlib import Path\nfrom reverie.server.restyle import Job\n"
        "from reverie.server.shards import ProcessWorker\n"
        "if __name__ == '__main__':\n"
        "    worker = ProcessWorker()\n"
        "    worker.enrich(Job(Path('a'), Path('b.mp4'), 'red', 'toy', 'cpu', 1.0, 0, None, False)).result()\n"
        "    print(*worker._executor._processes, flush=True)\n    time.sleep(60)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while (stat := Path(f"/proc/{pid}/stat")).exists() and stat.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)
