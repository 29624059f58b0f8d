from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reverie.models.search import space
from reverie.server.cli import main
from reverie.server.search.archive import Archive
from reverie.server.search.commands import Asked, search, text, when
from reverie.server.search.index import Filter
from reverie.server.search.moments import Entry, Moment
from reverie.server.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, colours, monkeypatch: pytest.MonkeyPatch) -> Settings:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(space, "load", lambda source: colours)
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path))
    archive = Archive(tmp_path / "moments", colours)
    for n, shows in enumerate(("red", "blue", "green")):
        moment = Moment(str(n), f"s{n}", 1e9 + n, 1e9 + n + 5, "comic", shows, media="recording:r", media_s=3.0)
        archive.put("local", Entry(moment, {"source": colours.words([shows])[0]}))
    archive.close()
    return Settings(data=str(tmp_path))


def test_words_a_picture_and_a_moment_find_the_same(settings: Settings, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "blue.png"), np.full((40, 60, 3), (255, 0, 0), np.uint8))
    assert search(settings, Asked("something blue"))["hits"][0]["id"] == "1"
    assert search(settings, Asked("", tmp_path / "blue.png"))["hits"][0]["id"] == "1"
    assert [hit["id"] for hit in search(settings, Asked("", like="1"))["hits"]].count("1") == 0
    assert [hit["id"] for hit in search(settings, Asked("red", only=Filter("s2")))["hits"]] == ["2"]


def test_the_command_prints_lines_or_one_object(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "red", "--limit", "1"]) == 0
    assert "red" in (said := capsys.readouterr().out) and "recording:r at 3 s" in said
    assert main(["search", "blue", "--json", "--after", "2001-09-09T00:00"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["hits"][0]["caption"] == "blue" and found["index"] == "memory"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search"], "what to look for"),
        (["search", "--like", "nothing"], "no moment 'nothing'"),
        (["search", "--image", "/no/such/file.png"], "does not exist"),
        (["search", "a", "--after", "soon"], "soon"),
        (["search", "a", "--url", "http://127.0.0.1:9"], "no server at http://127.0.0.1:9"),
        (["search", "a", "--tenant", "../x"], "not a tenant"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    settings: Settings, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    assert said in (line := capsys.readouterr().err) and line.count("\n") == 1


def test_nothing_found_says_how_things_are_indexed(settings: Settings) -> None:
    assert "nothing was found" in text({"hits": []})
    assert when(None) is None and when("12.5") == 12.5
    with pytest.raises(ValueError, match="'yesterday' is no time; write Unix seconds"):
        when("yesterday")
    assert replace(Asked("a"), limit=3).limit == 3


def test_a_server_is_asked_over_http(server, settings: Settings) -> None:  # type: ignore[no-untyped-def]
    found = search(settings, Asked("anything", only=Filter(session="none"), url=server.url))
    assert found["hits"] == []
    with pytest.raises(ValueError, match="mode must be one of"):
        search(settings, Asked("anything", mode="magic", url=server.url))
