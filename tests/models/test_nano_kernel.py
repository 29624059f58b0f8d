"""`nano` on the kernels against `nano` in float32, and what serving with it needs."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from skimage import data

from reverie.kernels.machine import paths
from reverie.models import nano, nano_kernel
from reverie.models.stream import Elastic, Frames

PROMPTS = ("pencil sketch", "neon outlines on black", "thermal camera")


@pytest.fixture(scope="module")
def model() -> nano_kernel.Nano:
    return nano_kernel.load()


@pytest.fixture(scope="module")
def exact() -> nano.Nano:
    loaded = nano.load()
    return nano.Nano(loaded.network, loaded._llm, 1, torch.float32)


def clip(name: str) -> Frames:
    """A picture with a person under a moving camera, (4, 192, 256, 3)."""
    picture = {
        "astronaut": data.astronaut,
        "face": lambda: np.repeat(np.repeat(data.astronaut()[:256, 96:352], 2, 0), 2, 1),
        "camera": lambda: np.repeat(data.camera()[..., None], 3, 2),
    }[name]()
    return np.stack([picture[20 + 3 * n : 212 + 3 * n, 100 + 4 * n : 356 + 4 * n] for n in range(4)])


def psnr(a: Frames, b: Frames) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("name", ["astronaut", "camera", "face"])
def test_bytes_stay_close_to_float32(model: nano_kernel.Nano, exact: nano.Nano, name: str) -> None:
    for prompt in PROMPTS:
        shown = []
        for each in (model, exact):
            stream = each.stream()
            stream.start(prompt)
            shown.append(stream.step(clip(name)))
        assert psnr(*shown) > 33, prompt


def test_every_path_gives_the_same_bits(model: nano_kernel.Nano) -> None:
    def play(path: str) -> Frames:
        stream = nano_kernel.load(cpu=path).stream()
        stream.start("pencil sketch", seed=3)
        return stream.step(clip("astronaut")[:2, :64, :96])

    first, *others = map(play, paths())
    assert all(np.array_equal(first, other) for other in others)


def test_a_path_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"'abacus' runs on this processor; there are .*portable"):
        nano_kernel.load(cpu="abacus")


def test_serving_needs_neither_torch_nor_diffusers() -> None:
    text = (
        "import sys, numpy as np; from reverie.models import registry; import reverie.server.app\n"
        "model = registry.load(); stream = model.stream(); stream.start('neon')\n"
        "stream.step(np.zeros((1, 48, 64, 3), np.uint8)); print(''.join(model.enhance('neon')))\n"
        "print({'torch', 'diffusers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["set()"], done.stderr


def test_the_llm_writes_inside_the_launches_of_frames(model: nano_kernel.Nano) -> None:
    alone = "".join(model.enhance("an old oil painting"))
    before, stop, stream = model.counts()["llm_tokens_with_frames"], threading.Event(), model.stream()
    stream.start("pencil sketch")
    frames = clip("astronaut")
    expected = stream.step(frames)

    def play() -> None:
        while not stop.is_set():
            stream.step(frames)  # they differ: what does not change is not launched

    thread = threading.Thread(target=play)
    thread.start()
    try:
        assert "".join(model.enhance("an old oil painting")) == alone
    finally:
        stop.set()
        thread.join()
    assert model.counts()["llm_tokens_with_frames"] > before + 5
    stream.start("pencil sketch")
    assert np.array_equal(stream.step(frames), expected)


def test_frames_of_several_sessions_go_into_one_launch(
    model: nano_kernel.Nano, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes and looks differ, one session's second picture stands still, one shows the camera."""
    clips = [clip("astronaut")[:, :96, :128], clip("face")[:, :48, :64], clip("camera")[[0, 0, 1, 2], :64, :64]]
    looks = ("pencil sketch", "neon outlines on black", "")

    def started() -> list[nano_kernel.NanoStream]:
        streams = [model.stream() for _ in looks]
        for seed, (stream, look) in enumerate(zip(streams, looks, strict=True)):
            stream.start(look, seed)
        return streams

    alone = [stream.step(frames) for stream, frames in zip(started(), clips, strict=True)]
    launched: list[int] = []
    launch = model.device.frame
    monkeypatch.setattr(model.device, "frame", lambda them: (launched.append(len(them)), launch(them)))
    streams = started()
    for n in range(4):
        together = dict(model.step_many(streams, [frames[n] for frames in clips]))
        assert all(np.array_equal(together[i], alone[i][n]) for i in range(3))
    assert launched == [2] * 4


def test_a_bad_frame_is_its_own_session_s_error(model: nano_kernel.Nano) -> None:
    streams, frame = [model.stream() for _ in range(3)], clip("face")[0, :32, :48]
    for stream in streams[:2]:
        stream.start("pencil sketch")
    shown = dict(model.step_many(streams, [frame, frame[:, :, :2], frame]))
    assert isinstance(shown[0], np.ndarray)
    assert "uint8 (T, H, W, 3)" in str(shown[1]) and "start the stream" in str(shown[2])


def test_a_size_is_built_before_its_first_frame_and_patience_makes_less_again(model: nano_kernel.Nano) -> None:
    stream, picture = model.stream(), clip("astronaut")[0]
    assert isinstance(stream, Elastic)
    stream.build(112, 144)
    assert (112, 144) in model._programs
    stream.start("pencil sketch")
    model.skip = 2.0
    saved = []
    try:
        for stream.patience in (1.0, 3.0):
            stream.start("pencil sketch")
            before = stream._cells, stream._skipped
            for n in range(20):
                stream.step((picture[:112, :144] // 2 + 3 * (n % 2))[None])
            saved.append((stream._skipped - before[1]) / (stream._cells - before[0]))
    finally:
        model.skip = 0.0
    assert saved[0] < 0.1 and saved[1] > 0.5  # a flicker of three levels


def test_a_steady_stream_calms_noise_and_takes_a_new_look_at_once(model: nano_kernel.Nano) -> None:
    rng, shown = np.random.default_rng(0), {}
    still = np.repeat(clip("astronaut")[:1], 5, 0)
    noisy = np.clip(still + rng.normal(0, 2, still.shape), 0, 255).astype(np.uint8)
    try:
        for model.steady in (False, True):
            stream = model.stream()
            stream.start("watercolour painting")
            before = stream.step(noisy[:4])
            stream.wear((("thermal camera", 1.0),))
            shown[model.steady] = before, stream.step(noisy[4:])
    finally:
        model.steady = False
    change = lambda frames: np.abs(np.diff(frames[1:].astype(float), axis=0)).mean()
    assert change(shown[True][0]) < 0.8 * change(shown[False][0])
    assert np.array_equal(shown[True][1], shown[False][1])
