"""A voice: espeak-ng reads words into a file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def speak(words: str, path: Path) -> Path:
    """A WAV of `words`.  Raises FileNotFoundError where espeak-ng is not installed."""
    if shutil.which("espeak-ng") is None:
        raise FileNotFoundError("the Debian package espeak-ng is not installed")
    subprocess.run(["espeak-ng", "-w", str(path), words], check=True, timeout=60)
    return path
