"""Spoken prompts: a voice of espeak-ng, and what is no voice."""

import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from rig.voice import speak

from reverie.server import speech

needs = pytest.mark.skipif(not speech.is_here(), reason="the extra reverie[speech] is not installed")


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return held.getvalue()


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    try:
        return speak("pencil sketch, black and white", tmp_path_factory.mktemp("voice") / "said.wav").read_bytes()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


@needs
def test_a_voice_is_understood_and_so_it_is_in_what_browsers_record(said: bytes, tmp_path: Path) -> None:
    assert speech.words(said).lower() == "pencil sketch, black and white"
    with av.open(io.BytesIO(said)) as source, av.open(str(tmp_path / "said.webm"), "w") as webm:
        stream = webm.add_stream("libopus", rate=48_000)
        resampler = av.AudioResampler("s16", "mono", 48_000)
        for frame in source.decode(audio=0):
            for part in resampler.resample(frame):
                webm.mux(stream.encode(part))
        webm.mux(stream.encode(None))
    assert "pencil" in speech.words((tmp_path / "said.webm").read_bytes()).lower()


@needs
def test_where_nobody_speaks_there_are_no_words() -> None:
    tone = 0.3 * np.sin(np.arange(32_000) * 2 * np.pi * 440 / 16_000)
    assert speech.words(wav(tone)) == "" == speech.words(wav(np.zeros(16_000)))


def test_sound_is_cut_at_thirty_seconds_and_brought_to_one_rate() -> None:
    assert len(speech.decode(wav(np.zeros(48_000 * 40), 48_000))) == 30 * 16_000
    assert abs(len(speech.decode(wav(np.zeros(44_100), 44_100))) - 16_000) < 100


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"#EXTM3U\nfile:///etc/passwd", b"OggSxxxx", b"\x1aE\xdf\xa3" + bytes(99)]
)
def test_what_is_no_sound_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="sound"):
        speech.decode(data)
