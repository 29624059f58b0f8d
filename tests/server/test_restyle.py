"""Files in, files out: whole or not at all."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reverie.server.provenance import SOURCE_TYPE, read_mark
from reverie.server.restyle import Job, restyle


def job(source: Path, output: Path, **changes: Any) -> Job:
    fields = {"prompt": "invert", "model": "toy", "device": "cpu", "strength": 1.0, "seed": 0, "render": None}
    return Job(source, output, **(fields | {"enhance": False} | changes))


def frames(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times(path: Path) -> list[float]:
    return [round(float(frame.pts * frame.time_base), 3) for frame in frames(path)]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "avi"])
def test_a_real_clip_in_every_container(face_clip: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    report = restyle(job(face_clip, output))
    assert (report["frames"], report["render"], report["resolution"]) == (72, "512x288", "640x360")
    assert (report["device"], report["model"]) == ("cpu", "toy")
    assert report["fps"] > 0 and 0 < report["step_ms"]["p50"] <= report["step_ms"]["p95"]
    shown = frames(output)
    assert len(shown) == 72
    before, after = (f.to_ndarray(format="rgb24").astype(int) for f in (frames(face_clip)[30], shown[30]))
    assert np.abs(255 - before - after).mean() < 12
    assert read_mark(output) == SOURCE_TYPE
    with av.open(str(output)) as container:
        assert container.streams.audio and sum(frame.samples for frame in container.decode(audio=0)) > 90_000
    assert list(tmp_path.iterdir()) == [output]


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize(("source", "output", "same"), [
    ("in.mp4", "out.mp4", True), ("in.mp4", "out.mkv", True), ("in.mkv", "out.mov", True), ("in.mp4", "out.webm", False),
])  # fmt: skip
def test_sound_is_copied_where_the_container_takes_it(
    make_clip: Any, tmp_path: Path, source: str, output: str, same: bool
) -> None:
    clip = make_clip(source, sound="aac")
    restyle(job(clip, tmp_path / output))
    assert packets(tmp_path / output)
    assert (packets(tmp_path / output) == packets(clip)) is same


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_uneven_times_are_kept(make_clip: Any, tmp_path: Path, suffix: str) -> None:
    uneven = [0, 40, 45, 120, 300, 333, 400, 1000, 1001, 1100, 1200, 2000]
    clip = make_clip("in.mkv", times=uneven)
    restyle(job(clip, tmp_path / f"out.{suffix}"))
    assert np.allclose(times(tmp_path / f"out.{suffix}"), times(clip), atol=0.0015)


@pytest.mark.parametrize(("size", "form"), [((96, 64), "yuv444p"), ((97, 65), "yuv444p"), ((64, 200), "yuv420p10le")])
def test_any_size_and_pixel_format(make_clip: Any, tmp_path: Path, size: tuple[int, int], form: str) -> None:
    report = restyle(job(make_clip("in.mkv", size=size, form=form), tmp_path / "out.mp4"))
    first = frames(tmp_path / "out.mp4")[0]
    assert (first.width, first.height) == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert report["frames"] == 12


def test_no_strength_gives_the_input_back(make_clip: Any, tmp_path: Path) -> None:
    clip = make_clip("in.mp4")
    restyle(job(clip, tmp_path / "out.mp4", strength=0.0))
    pairs = zip(frames(clip), frames(tmp_path / "out.mp4"), strict=True)
    assert max(np.abs(a.to_ndarray().astype(int) - b.to_ndarray()).mean() for a, b in pairs) < 1.5


def test_a_render_size_of_ones_own(make_clip: Any, tmp_path: Path) -> None:
    report = restyle(job(make_clip("in.mp4"), tmp_path / "out.mp4", render="48x32"))
    assert report["render"] == "48x32" and report["resolution"] == "96x64"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"prompt": "  "}, "the prompt is empty"), ({"strength": 1.5}, "strength must be 0 to 1, got 1.5"),
    ({"strength": float("nan")}, "strength"), ({"seed": -1}, "seed"), ({"model": "none"}, "no model 'none'"),
    ({"render": "50x50"}, "multiples of 16"), ({"render": "9999x16"}, "multiples of 16"), ({"render": "big"}, "WIDTHxHEIGHT"),
    ({"render": "1296x720"}, "1280x720"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "word"), BAD)
def test_bad_requests_are_one_clear_sentence(
    make_clip: Any, tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    clip = make_clip("in.mp4")
    with pytest.raises(ValueError, match=word) as caught:
        restyle(job(clip, tmp_path / "out.mp4", **changes))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [clip]


def test_bad_inputs_leave_no_output_and_an_older_one_alone(make_clip: Any, tmp_path: Path) -> None:
    clip = make_clip("in.mp4", count=60, size=(160, 96))
    fast = make_clip("fast.mkv", count=60, size=(160, 96))
    older = tmp_path / "out.mp4"
    older.write_text("older")
    broken = {
        "cut.mp4": clip.read_bytes()[:-500], "cut.mkv": fast.read_bytes()[: fast.stat().st_size // 3], "empty.mp4": b"",
        "text.mp4": b"not a video at all, only text", "list.mkv": b"ffconcat version 1.0\nfile in.mp4\n",
    }  # fmt: skip
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=name.split(".")[0]):
            restyle(job(tmp_path / name, older))
    for missing, kind in ((tmp_path / "none.mp4", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(kind):
            restyle(job(missing, older))
    assert older.read_text() == "older"
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_a_file_without_video_or_frames_is_refused(tmp_path: Path) -> None:
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        part.sample_rate = 48000
        container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match="has no video stream"):
        restyle(job(sound, tmp_path / "out.mp4"))
    empty = tmp_path / "frameless.avi"
    with av.open(str(empty), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(ValueError, match="frameless"):
        restyle(job(empty, tmp_path / "out.mp4"))


@pytest.mark.parametrize(("output", "kind"), [
    ("in.mp4", ValueError), ("out.gif", ValueError), ("no/out.mp4", FileNotFoundError), ("folder.mp4", IsADirectoryError),
])  # fmt: skip
def test_bad_outputs_are_refused(make_clip: Any, tmp_path: Path, output: str, kind: type[Exception]) -> None:
    clip = make_clip("in.mp4")
    (tmp_path / "folder.mp4").mkdir()
    before = clip.read_bytes()
    with pytest.raises(kind):
        restyle(job(clip, tmp_path / output))
    assert clip.read_bytes() == before


def test_a_crash_of_the_model_leaves_no_output(make_clip: Any, tmp_path: Path) -> None:
    clip = make_clip("in.mp4")
    with pytest.raises(RuntimeError):
        restyle(job(clip, tmp_path / "out.mp4", prompt="crash"))
    assert list(tmp_path.iterdir()) == [clip]
