"""The steps of the next training, in their order."""

from pathlib import Path

import pytest

from reverie.models.train import everything


def test_a_new_run_begins_with_its_clips_and_one_that_stopped_with_its_checkpoint(tmp_path: Path) -> None:
    fresh = everything.plan(tmp_path, "nano", 600, 0.5)
    assert [step[3] for step in fresh[:4]] == ["data", "film", "fit", "evaluate"]
    assert fresh[0][-2:] == ["--share", "0.5"] and "--start" in fresh[2]
    (tmp_path / "nano.pt").touch()
    assert everything.plan(tmp_path, "nano", 600, 0.5) == fresh[2:]


def test_weights_are_written_before_what_is_fitted_to_them(tmp_path: Path) -> None:
    steps = [" ".join(step) for step in everything.plan(tmp_path, "nano", 1, 1)]
    place = lambda word: next(n for n, step in enumerate(steps) if word in step)
    assert place("export") < place("calibrate") < place("looks") < place("picture") < place("models.evaluate")
    assert "gallery" in steps[-1]


def test_it_ends_where_it_is_told(tmp_path: Path) -> None:
    assert everything.plan(tmp_path, "nano", 1, 1, until="fit")[-1][3] == "fit"
    with pytest.raises(ValueError, match="the steps are data, film, fit"):
        everything.plan(tmp_path, "nano", 1, 1, until="bake")


def test_a_step_that_fails_says_how_to_go_on() -> None:
    everything.run([["platform"]])
    with pytest.raises(RuntimeError, match="goes on from there"):
        everything.run([["platform"], ["reverie.models.train", "export", "--name", "none", "--bad"]])
