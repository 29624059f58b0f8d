"""Built constants on disk, by the content they were built from; mapped into memory, so that processes share them."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path.home() / ".cache" / "reverie" / "built"
DIGEST_BYTES = 32
MARGIN = 4096  # tiles may read beyond the end


def digest(path: Path, version: str) -> str:
    """Of a file's content and of the format that is built from it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32] + f"-{version}"


def built(key: str, build: Callable[[], NDArray[np.uint8]], folder: Path = FOLDER) -> NDArray[np.uint8]:
    """The bytes of `build`, kept under `key`.  A file that is damaged, cut or not to be read is built again."""
    path = folder / f"{key}.bin"
    found = _read(path)
    if found is not None:
        return found
    made = build()
    try:
        _write(path, made)
    except OSError:  # no room, or read only: it works without the file
        return made
    found = _read(path)
    return made if found is None else found


def _read(path: Path) -> NDArray[np.uint8] | None:
    try:
        with path.open("rb") as file:
            if (size := os.fstat(file.fileno()).st_size) <= MARGIN + DIGEST_BYTES:
                return None
            whole = np.frombuffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ), np.uint8)
    except OSError:
        return None
    content = whole[: size - MARGIN - DIGEST_BYTES]
    return content if hashlib.sha256(content.data).digest() == whole[-DIGEST_BYTES:].tobytes() else None


def _write(path: Path, content: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content.data)
        file.write(bytes(MARGIN))
        file.write(hashlib.sha256(content.data).digest())
    partial.replace(path)
