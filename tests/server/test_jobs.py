"""Jobs in order, kept over a restart, cancelled, forgotten."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reverie.server import jobs as module
from reverie.server.errors import Refused
from reverie.server.jobs import Job, Jobs, Live
from reverie.server.metrics import Metrics

WANTED = Job("", "studio", "toy", "", "red", False, 0, "", time.time())


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path, Metrics())
    yield made
    made.close()


def ask(jobs: Jobs, prompt: str = "red", tenant: str = "studio", kind: str = "video") -> Live:
    return jobs.submit(replace(WANTED, prompt=prompt, tenant=tenant), io.BytesIO(b"clip"), None, lambda folder: kind)


def copy(job: Job, folder: Path, tell: Callable[[float], None]) -> None:
    tell(0.5)
    (folder / "output.mp4").write_bytes((folder / "data").read_bytes() + job.prompt.encode())


def test_a_job_runs_once_the_model_is_there_and_its_file_is_its_tenants(jobs: Jobs, tmp_path: Path) -> None:
    live = ask(jobs)
    assert jobs.find("studio", live.job.id).state == "pending"
    with pytest.raises(Refused, match="pending, 0% done"):
        jobs.content("studio", live.job.id)
    jobs.begin(copy)
    assert live.done.result(30).state == "completed"
    assert jobs.content("studio", live.job.id).read_bytes() == b"clipred"
    assert [job.id for job in jobs.every("studio")] == [live.job.id] and not jobs.every("other")
    with pytest.raises(Refused, match="no such job"):
        jobs.find("other", live.job.id)
    assert not (tmp_path / "studio" / live.job.id / "data").exists()


def test_jobs_come_in_order_and_a_picture_need_not_wait_for_a_clip(jobs: Jobs) -> None:
    order, first_may_end = [], threading.Event()

    def work(job: Job, folder: Path, tell: Callable[[float], None]) -> None:
        order.append(job.prompt)
        assert job.kind == "image" or first_may_end.wait(30)

    jobs.begin(work)
    clips = [ask(jobs, prompt) for prompt in ("one", "two")]
    assert ask(jobs, "picture", kind="image").done.result(30).state == "completed"
    first_may_end.set()
    assert [live.done.result(30).state for live in clips] == ["completed", "completed"]
    assert [name for name in order if name != "picture"] == ["one", "two"]


def test_a_cancelled_job_fails_and_is_then_forgotten(jobs: Jobs) -> None:
    begun = threading.Event()

    def work(job: Job, folder: Path, tell: Callable[[float], None]) -> None:
        begun.set()
        while True:
            tell(0.1)
            time.sleep(0.01)

    jobs.begin(work)
    running, waiting = ask(jobs), ask(jobs)
    assert begun.wait(30)
    jobs.cancel("studio", waiting.job.id)
    jobs.cancel("studio", running.job.id)
    for live in (running, waiting):
        assert (live.done.result(30).state, live.job.error_type) == ("failed", "cancelled")
    with pytest.raises(Refused, match="cancelled"):
        jobs.content("studio", running.job.id)
    jobs.cancel("studio", running.job.id)
    with pytest.raises(Refused, match="no such job"):
        jobs.find("studio", running.job.id)


@pytest.mark.parametrize(("error", "code"), [(ValueError("too long"), "bad_request"), (KeyError(1), "internal_error")])
def test_a_fault_ends_one_job_with_a_reason(jobs: Jobs, error: Exception, code: str) -> None:
    def work(job: Job, folder: Path, tell: Callable[[float], None]) -> None:
        if job.prompt == "bad":
            raise error
        copy(job, folder, tell)

    jobs.begin(work)
    bad, good = ask(jobs, "bad"), ask(jobs)
    assert (bad.done.result(30).state, bad.job.error_type) == ("failed", code) and bad.job.error
    assert good.done.result(30).state == "completed"


def test_what_a_server_left_is_done_by_the_next_but_never_by_two(tmp_path: Path) -> None:
    first, begun = Jobs(tmp_path, Metrics()), threading.Event()

    def endless(job: Job, folder: Path, tell: Callable[[float], None]) -> None:
        begun.set()
        while True:
            tell(0.1)
            time.sleep(0.01)

    first.begin(endless)
    live = ask(first)
    assert begun.wait(30)
    second = Jobs(tmp_path, Metrics())
    second.begin(copy)
    assert second.find("studio", live.job.id).state == "processing" and not second._live
    first.close()
    assert live.done.result(30).state == "pending"
    third = Jobs(tmp_path, Metrics())
    third.begin(copy)
    (again,) = third._live.values() or [None]
    state = again.done.result(30).state if again else third.find("studio", live.job.id).state
    assert state == "completed" and third.content("studio", live.job.id).read_bytes() == b"clipred"
    second.close()
    third.close()


def test_bad_data_leaves_nothing_behind_and_a_tenant_has_a_limit(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(folder: Path) -> str:
        raise ValueError("data is no clip")

    with pytest.raises(Refused, match="data is no clip"):
        jobs.submit(WANTED, io.BytesIO(b"x"), None, check)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    ask(jobs), ask(jobs)
    with pytest.raises(Refused, match="2 jobs are waiting"):
        ask(jobs)
    ask(jobs, tenant="other")


def test_a_job_is_forgotten_after_its_day(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.begin(copy)
    live = ask(jobs)
    live.done.result(30)
    monkeypatch.setattr(module, "KEPT_S", -1)
    with pytest.raises(Refused, match="its day is over"):
        jobs.find("studio", live.job.id)
    ask(jobs)
    assert not live.folder.exists()


def test_a_name_that_is_a_path_finds_nothing(jobs: Jobs) -> None:
    for name in ("..", "../studio", "job_", "job_" + "g" * 24):
        with pytest.raises(Refused):
            jobs.find("studio", name)
