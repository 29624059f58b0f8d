"""`reverie models pull`: a model's safetensors and settings, checked, resumable, whole or not at all; never code."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reverie.models import hub
from reverie.models.diffusion import catalogue
from reverie.models.diffusion import folder as folders
from reverie.models.hub import File, Source

KINDS = (".safetensors", ".json", ".txt", ".model")  # weights, settings, words of tokenizers
ALSO = ("readme.md", "license", "license.md", "license.txt")
UNUSED = ("safety_checker", "feature_extractor_onnx", "onnx", "openvino")
TINY = "vae_tiny"  # where a tiny autoencoder lies, which is used in place of the model's own
INDEX = "model_index.json"
ATTEMPTS = 5
SPARE_BYTES = 200_000_000  # of disk that stays free

Told = Callable[[str, int, int], None]  # the file, bytes that are here of all files, all bytes; 0: unknown


@dataclass(frozen=True, slots=True)
class Piece:
    """A file to be fetched, and where it goes."""

    file: File
    source: Source
    place: str  # within the model's folder


def pull(name: str, source: str, folder: Path, told: Told = lambda *_: None) -> Path:
    """Fetch a model into a folder of its own.

    Args:
        name: of the catalogue, or as the hub has it: owner/name.
        source: see hub.find; "" is the hub of the library huggingface_hub.
        folder: of all models.  What was begun there is gone on with.
    Returns: the model's folder.  One that is there already is checked against its checksums.
    Raises: ValueError on a bad name, a checksum that differs, or a model that is not served; FileNotFoundError,
        OSError if it cannot be had, or another command is fetching it.
    """
    if not re.fullmatch(catalogue.NAME, name):
        raise ValueError(f"{name[:80]!r} is no name of a model: a name, or owner/name as the hub has it")
    done = catalogue.place(folder, name)
    if done.is_dir():
        verify(done)
        return done
    pieces = sorted(_pieces(name, source), key=lambda piece: piece.place != INDEX)  # what it is comes first
    part = done.with_name(f"{done.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    with _alone(part):
        _fetch(pieces, part, told)
        part.rename(done)
    return done


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Raises: OSError while another command writes there."""
    folder = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise OSError(f"another command is fetching {_name(part)}; this one would only disturb it") from None
    finally:
        os.close(folder)


def _name(part: Path) -> str:
    return part.name.removesuffix(".part").replace("--", "/")


def _fetch(pieces: list[Piece], part: Path, told: Told) -> None:
    """All of them, checked."""
    _room(pieces, part)
    sizes = [piece.file.size for piece in pieces]
    digests, before, whole = {}, 0, 0 if None in sizes else sum(size or 0 for size in sizes)
    for piece in pieces:
        digests[piece.place] = fetch(piece, part, _counted(told, before, whole))
        before += (part / piece.place).stat().st_size
        if piece.place == INDEX:
            _streamed(part)
    if (part / INDEX).is_file():
        folders.check(part)
    (part / hub.SUMS).write_text("".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())))


def _streamed(part: Path) -> None:
    """Raises: ValueError, before the weights are fetched, if it brings code or is of a kind that is not streamed."""
    try:
        folders.kind(part)
    except ValueError:
        (part / INDEX).unlink()  # the source may mend it
        raise


def _counted(told: Told, before: int, whole: int) -> Callable[[str, int], None]:
    return lambda path, here: told(path, before + here, whole)


def verify(folder: Path) -> None:
    """Raises ValueError if a file is missing or differs from its checksum."""
    if not (folder / hub.SUMS).is_file():
        return
    for file in hub.sums((folder / hub.SUMS).read_text()):
        path = folder / file.path
        if not path.is_file() or _hashed(path, hashlib.sha256()).hexdigest() != file.sha256:
            raise ValueError(f"{folder.name}/{file.path} is damaged: remove {folder} and pull it again")


def _pieces(name: str, source: str) -> Iterator[Piece]:
    from huggingface_hub import constants

    known, source = catalogue.known(name), source or constants.ENDPOINT
    found = hub.find(source, [known.repository, name] if known else [name])
    for file, local in chosen(found.files):
        yield Piece(file, found, local)
    if known is not None and known.tiny and not any(f.path.startswith(f"{TINY}/") for f in found.files):
        try:
            small = hub.find(source, [known.tiny])
        except FileNotFoundError:
            return  # slower without, and whole
        for file, local in chosen(small.files):
            yield Piece(file, small, f"{TINY}/{local}")


def chosen(files: Iterable[File]) -> list[tuple[File, str]]:
    """What is fetched of a model and under which names: one precision of each part, half where there is one.

    Raises: ValueError if a name leads out of the folder, or there are no safetensors.
    """
    by_path = {file.path: file for file in files}
    for path in by_path:
        if not path or path[0] == "/" or "\\" in path or "\0" in path or ".." in PurePosixPath(path).parts:
            raise ValueError(f"{path[:80]!r} leads out of the model's folder: nothing was fetched")
    parts = INDEX in by_path  # else one network lies in the folder itself
    found = []
    for path, file in sorted(by_path.items()):
        where = PurePosixPath(path)
        if where.parts[0] in UNUSED or not (where.suffix in KINDS or path.lower() in ALSO):
            continue
        if where.suffix == ".safetensors":
            if parts and len(where.parts) == 1:
                continue  # all parts once more in one file
            local = _precision(path, by_path)
            if local:
                found.append((file, local))
        elif ".fp16." not in where.name and ".non_ema." not in where.name:
            found.append((file, path))
    if not any(local.endswith(".safetensors") for _, local in found):
        raise ValueError("the model has no safetensors; other formats can run code and are not fetched")
    return found


def _precision(path: str, there: dict[str, File]) -> str:
    """The name under which weights are kept; "" for those that are there in a precision which is fetched instead."""
    stem, *variants = PurePosixPath(path).name.removesuffix(".safetensors").split(".")
    plain = str(PurePosixPath(path).with_name(f"{stem}.safetensors"))
    half = str(PurePosixPath(path).with_name(f"{stem}.fp16.safetensors"))
    if variants == ["fp16"]:
        return plain if "-of-" not in stem else ("" if plain in there else path)
    return "" if variants or (half in there and "-of-" not in stem) else path


def _room(pieces: list[Piece], part: Path) -> None:
    """Raises: OSError if the disk has too little room for what is not here yet."""
    here = sum(path.stat().st_size for path in part.rglob("*") if path.is_file())
    wanted, free = sum(piece.file.size or 0 for piece in pieces) - here, shutil.disk_usage(part).free
    if wanted > free - SPARE_BYTES:
        raise OSError(f"{wanted / 1e9:.1f} GB are to be fetched, and {free / 1e9:.1f} GB of disk are free at {part}")


def fetch(piece: Piece, folder: Path, told: Callable[[str, int], None]) -> str:
    """One file, gone on with where it broke off.

    Returns: its SHA-256.
    Raises: ValueError if its checksum is not the one that the source names; OSError after several attempts.
    """
    whole = folder / piece.place
    part = whole.with_name(f"{whole.name}.part")
    whole.parent.mkdir(parents=True, exist_ok=True)
    if whole.is_file():  # checked before it got its name
        told(piece.place, whole.stat().st_size)
        return _hashed(whole, hashlib.sha256()).hexdigest()
    for attempt in range(ATTEMPTS):
        try:
            _append(piece, part, told)
            break
        except OSError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.2 * 2**attempt)
    digest = _checked(piece.file, part)
    part.rename(whole)
    return digest


def _append(piece: Piece, part: Path, told: Callable[[str, int], None]) -> None:
    here, size = part.stat().st_size if part.is_file() else 0, piece.file.size
    if size is not None and here >= size > 0:
        return
    with piece.source.read(piece.file.path, here) as (begins, chunks), part.open("ab" if begins else "wb") as file:
        here = begins
        for chunk in chunks:
            here += len(chunk)
            if size is not None and here > size:
                part.unlink()
                raise ValueError(f"{piece.file.path} is longer than the {size} bytes that its source names")
            file.write(chunk)
            told(piece.place, here)
    if size is not None and here < size:
        raise OSError(f"{piece.file.path} broke off after {here} of {size} bytes")


def _checked(file: File, part: Path) -> str:
    """The SHA-256 of what was fetched.  Raises: ValueError if a checksum differs."""
    digest = _hashed(part, hashlib.sha256()).hexdigest()
    right = digest == file.sha256 if file.sha256 else True
    if file.git and not file.sha256:
        start = hashlib.sha1(b"blob %d\0" % part.stat().st_size, usedforsecurity=False)
        right = _hashed(part, start).hexdigest() == file.git
    if not right:
        part.unlink()
        raise ValueError(f"{file.path} has not the checksum that its source names: it was removed; pull again")
    return digest


def _hashed(path: Path, digest: hashlib._Hash) -> hashlib._Hash:
    with path.open("rb") as opened, closing(opened):
        while chunk := opened.read(hub.CHUNK):
            digest.update(chunk)
    return digest
