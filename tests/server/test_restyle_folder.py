"""A folder of videos: in order, file by file, and never twice."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import av
import numpy as np
import pytest

from reverie.server import chunks
from reverie.server.provenance import SOURCE_TYPE, read_mark
from reverie.server.restyle import Job
from reverie.server.restyle_folder import WORK, begin_and_tell, restyle_folder, videos
from reverie.server.shards import Shard, Shop, WorkerDied


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks.plan, "__defaults__", (0.7, 9.0))


@pytest.fixture
def folder(make_clip: Any, tmp_path: Path) -> Path:
    """Two films of three chunks, one of them deeper, a film that is cut short, and what is none."""
    (made := tmp_path / "in" / "deep").mkdir(parents=True)
    make_clip("in/a.mp4", count=48, options={"g": "10"})
    make_clip("in/deep/b.mkv", count=48, options={"g": "10"}, sound="aac")
    (tmp_path / "in" / "cut.mp4").write_bytes((tmp_path / "in" / "a.mp4").read_bytes()[:-500])
    (tmp_path / "in" / "notes.txt").write_text("no film")
    (made / ".hidden.mp4").write_bytes(b"")
    return tmp_path / "in"


def job(folder: Path, output: str = "out", **changes: Any) -> Job:
    fields = {"prompt": "red", "model": "toy", "device": "cpu", "strength": 1.0, "seed": 0, "render": None}
    return Job(folder, folder.parent / output, **(fields | {"enhance": False} | changes))


class Here:
    """A worker in this process; `fails` says what to raise at a chunk."""

    def __init__(self, fails: Any = lambda shard: None, thread: ThreadPoolExecutor | None = None) -> None:
        self.shop, self.painted, self._fails, self._thread = Shop(), [], fails, thread  # type: ignore[var-annotated]

    def paint(self, shard: Shard) -> Future[None]:
        if self._thread is not None:
            return self._thread.submit(self._paint, shard)
        done: Future[None] = Future()
        try:
            done.set_result(self._paint(shard))
        except Exception as error:
            done.set_exception(error)
        return done

    def _paint(self, shard: Shard) -> None:
        self.painted.append((shard.job.input.name, shard.chunk.number))
        self._fails(shard)
        self.shop.paint(shard)

    def enrich(self, job: Job) -> Future[str]:
        done: Future[str] = Future()
        done.set_result(self.shop.enrich(job))
        return done

    def close(self) -> None:
        pass


def shown(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def states(reports: list[dict[str, Any]]) -> dict[str, str]:
    return {each["file"]: each["state"] for each in reports}


def test_every_film_is_made_where_it_lies_and_a_damaged_one_is_told(folder: Path) -> None:
    reports = begin_and_tell(job(folder), 1, None)
    assert list(states(reports).items()) == [("a.mp4", "made"), ("cut.mp4", "failed"), ("deep/b.mkv", "made")]
    assert "cut.mp4" in reports[1]["error"] and "\n" not in reports[1]["error"]
    output = folder.parent / "out"
    assert [each["frames"] for each in reports] == [48, 0, 48]
    for name in ("a.mp4", "deep/b.mkv"):
        red, green, blue = np.mean(shown(output / name), (0, 1, 2))
        assert red > 2 * green and red > 2 * blue and read_mark(output / name) == SOURCE_TYPE
    with av.open(str(output / "deep/b.mkv")) as container:
        assert container.streams.audio
    left = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert {name for name in left if not name.startswith(WORK)} == {"a.mp4", "deep/b.mkv"}
    assert not list(output.rglob("*.nut"))


def test_what_is_done_is_not_done_again_unless_the_look_or_the_film_is_another(folder: Path) -> None:
    (folder / "cut.mp4").unlink()
    assert set(states(restyle_folder(job(folder), [Here()])).values()) == {"made"}
    again = Here()
    assert set(states(restyle_folder(job(folder), [again])).values()) == {"there"} and not again.painted
    (folder / "a.mp4").touch()
    assert list(states(restyle_folder(job(folder), [Here()])).values()) == ["made", "there"]
    (folder.parent / "out" / "deep/b.mkv").unlink()
    assert list(states(restyle_folder(job(folder), [Here()])).values()) == ["there", "made"]
    assert set(states(restyle_folder(job(folder, prompt="blue"), [Here()])).values()) == {"made"}


def test_a_run_that_was_stopped_goes_on_after_its_last_chunk_and_makes_the_same_film(folder: Path) -> None:
    restyle_folder(job(folder, "once"), [Here()])

    def stop(shard: Shard) -> None:
        if (shard.job.input.name, shard.chunk.number) == ("b.mkv", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restyle_folder(job(folder), [Here(stop)])
    rest = Here()
    assert list(states(restyle_folder(job(folder), [rest])).values()) == ["there", "failed", "made"]
    assert rest.painted == [("b.mkv", 1), ("b.mkv", 2)]
    for name in ("a.mp4", "deep/b.mkv"):
        pairs = zip(shown(folder.parent / "once" / name), shown(folder.parent / "out" / name), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_a_chunk_whose_worker_dies_is_tried_once_more_and_a_model_that_fails_ends_one_film(folder: Path) -> None:
    deaths: list[str] = []

    def die(shard: Shard) -> None:
        name = shard.job.input.name
        if name == "a.mp4" and shard.chunk.number == 1:
            deaths.append(name)
            raise WorkerDied
        if name == "b.mkv" and shard.chunk.number == 2 and "b" not in deaths:
            deaths.append("b")
            raise WorkerDied

    reports = restyle_folder(job(folder), [Here(die)])
    assert list(states(reports).values()) == ["failed", "failed", "made"]
    assert reports[0]["error"] == "the worker died 2 times at chunk 2 of 3"

    def fail(shard: Shard) -> None:
        if shard.job.input.name == "a.mp4":
            raise RuntimeError("no memory")

    reports = restyle_folder(job(folder, seed=1), [Here(fail)])
    assert reports[0]["error"] == "the model failed: RuntimeError: no memory" and reports[2]["state"] == "made"


def test_many_workers_have_one_chunk_each_and_the_film_keeps_its_order(folder: Path) -> None:
    running, most, guard = 0, 0, Lock()

    def count(shard: Shard) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)

    threads = [ThreadPoolExecutor(1) for _ in range(2)]
    workers = [Here(count, thread) for thread in threads]
    for worker in workers:
        paint = worker.shop.paint

        def painted(shard: Shard, paint: Any = paint) -> None:
            nonlocal running
            paint(shard)
            with guard:
                running -= 1

        worker.shop.paint = painted  # type: ignore[method-assign]
    assert list(states(restyle_folder(job(folder), workers)).values()) == ["made", "failed", "made"]
    restyle_folder(job(folder, "once"), [Here()])
    assert most <= 2 and sorted(each for worker in workers for each in worker.painted) == [
        (name, number) for name in ("a.mp4", "b.mkv") for number in range(3)
    ]
    pairs = zip(shown(folder.parent / "once" / "a.mp4"), shown(folder.parent / "out" / "a.mp4"), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    for thread in threads:
        thread.shutdown()


def test_a_prompt_is_enriched_once_for_all_files_and_runs(folder: Path) -> None:
    worker, asked = Here(), []
    worker.shop.enrich = lambda job: asked.append(job.prompt) or "red, in blue"  # type: ignore[method-assign,func-returns-value]
    for _ in range(2):
        restyle_folder(job(folder, enhance=True), [worker])
    assert asked == ["red"] and worker.shop._work is not None and worker.shop._work.job.prompt == "red, in blue"


def test_what_cannot_be_begun_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    inside = job(folder, "in/out")
    (folder / "cut.mp4").unlink()
    restyle_folder(inside, [Here()])
    assert videos(folder, inside.output) == ["a.mp4", "deep/b.mkv"]
    with pytest.raises(ValueError, match="the same folder"):
        videos(folder, folder)
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no videos"):
        begin_and_tell(job(empty), 1, None)
    with pytest.raises(ValueError, match="the prompt is empty"):
        begin_and_tell(job(folder, prompt=" "), 1, None)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        begin_and_tell(job(folder, "file"), 1, None)

    def second(shard: Shard) -> None:
        with pytest.raises(ValueError, match="another reverie restyle"):
            restyle_folder(job(folder), [Here()])

    restyle_folder(job(folder), [Here(second)])
