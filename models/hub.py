"""What files a model has, on a hub, on a web server or in a folder, and their bytes from any place on.

A hub is whatever answers as Hugging Face's does.  A web server shows a folder with a file SHA256SUMS, as `sha256sum`
writes it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx2

SUMS = "SHA256SUMS"
TIMEOUT_S = 30.0
CHUNK = 1 << 20
MARKS = ("model_index.json", "config.json")  # one of them lies in every model's folder


@dataclass(frozen=True, slots=True)
class File:
    """A file of a model, with the checksum that its source names for it ("" for none)."""

    path: str  # within the model, as unet/config.json
    size: int | None = None  # bytes
    sha256: str = ""
    git: str = ""  # SHA-1 of git's blob


class Source(Protocol):
    """Where one model lies."""

    @property
    def files(self) -> list[File]: ...

    def read(self, path: str, start: int) -> contextlib.AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """The byte that the answer begins with (`start`, or 0 where the source knows no ranges), and the bytes.

        Raises: OSError if the source cannot be reached or breaks off.
        """


@dataclass(frozen=True, slots=True)
class Folder:
    """On this machine."""

    place: Path
    files: list[File]

    @contextlib.contextmanager
    def read(self, path: str, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        with (self.place / path).open("rb") as opened:
            opened.seek(start)
            yield start, iter(lambda: opened.read(CHUNK), b"")


@dataclass(frozen=True, slots=True)
class Web:
    """Over HTTP."""

    base: str  # files lie at base + path
    headers: dict[str, str]
    files: list[File]

    @contextlib.contextmanager
    def read(self, path: str, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        headers = {**self.headers, "accept-encoding": "identity"} | ({"range": f"bytes={start}-"} if start else {})
        with _answers(), _client(headers) as client, client.stream("GET", self.base + quote(path)) as answer:
            if answer.status_code == 416:  # nothing is left
                yield start, iter(())
                return
            answer.raise_for_status()
            begins = start if answer.status_code == 206 else 0
            yield begins, answer.iter_raw()


def find(source: str, names: Sequence[str]) -> Source:
    """The model of the first of these names that a source has.

    Args: source: http(s) address of a hub or of a folder, or a folder of this machine: of the model or of models.
    Raises: FileNotFoundError if it has none; OSError if it cannot be reached.
    """
    if not source.startswith(("http://", "https://")):
        return _folder(Path(source.removeprefix("file://")).expanduser(), names)
    source = source.rstrip("/")
    headers = _credentials(source)
    with _answers(), _client(headers) as client:
        for name in names:
            found = _tree(client, source, name)
            if found is not None:
                return Web(f"{source}/{name}/resolve/main/", headers, found)
        hubs = (f"{source}/{name}/resolve/main/" for name in names)
        for base in (*(f"{source}/{name}/" for name in names), *hubs, f"{source}/"):
            answer = client.get(base + SUMS)
            if answer.status_code == 200:
                return Web(base, headers, sums(answer.text))
    raise FileNotFoundError(f"{source} has no model {' or '.join(names)}, neither as a hub nor as a folder with {SUMS}")


def sums(text: str) -> list[File]:
    """The lines of `sha256sum`.  Raises ValueError if one is none."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(.+)", line)
        if not match:
            raise ValueError(f"{SUMS} has a line that is no checksum: {line[:80]!r}")
        found.append(File(match[2], sha256=match[1]))
    return found


def _folder(place: Path, names: Sequence[str]) -> Folder:
    places = [*(place / name for name in names), place]
    found = next((each for each in places if any((each / mark).is_file() for mark in MARKS)), None)
    if found is None:
        raise FileNotFoundError(f"{place} is no folder of a model ({' or '.join(MARKS)}) and holds none by that name")
    known = {file.path: file.sha256 for file in sums((found / SUMS).read_text())} if (found / SUMS).is_file() else {}
    files = []
    for path in sorted(p for p in found.rglob("*") if p.is_file()):
        name = path.relative_to(found).as_posix()
        files.append(File(name, path.stat().st_size, known.get(name, "")))
    return Folder(found, files)


def _tree(client: httpx2.Client, hub: str, name: str) -> list[File] | None:
    """What the hub's API lists; None if this is no hub, or it has no such model."""
    url: str | None = f"{hub}/api/models/{quote(name)}/tree/main?recursive=true"
    found: list[File] = []
    while url:
        answer = client.get(url)
        if answer.status_code in (401, 403):
            raise PermissionError(
                f"{hub} does not give {name}: accept its licence there, then log in with `hf auth login`"
            )
        if answer.status_code == 404:
            return _siblings(client, hub, name)
        answer.raise_for_status()
        try:
            found += [_listed(entry) for entry in answer.json() if entry["type"] == "file"]
        except (ValueError, KeyError, TypeError):
            return None
        url = answer.links.get("next", {}).get("url")
    return found


def _listed(entry: dict[str, Any]) -> File:
    large = entry.get("lfs") or {}
    return File(
        str(entry["path"]), int(entry["size"]), str(large.get("oid") or ""), "" if large else str(entry.get("oid", ""))
    )


def _siblings(client: httpx2.Client, hub: str, name: str) -> list[File] | None:
    """As hubs list that know no trees."""
    answer = client.get(f"{hub}/api/models/{quote(name)}?blobs=true")
    try:
        listed = answer.json()["siblings"] if answer.status_code == 200 else None
        return listed and [
            File(str(each["rfilename"]), each.get("size"), str((each.get("lfs") or {}).get("sha256") or ""),
                 "" if each.get("lfs") else str(each.get("blobId") or ""))
            for each in listed
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _credentials(source: str) -> dict[str, str]:
    """The user's own token, for the hub that it was made for and no other address."""
    from huggingface_hub import constants, get_token

    token = get_token() if source == constants.ENDPOINT else None
    return {"authorization": f"Bearer {token}"} if token else {}


def _client(headers: dict[str, str]) -> httpx2.Client:
    return httpx2.Client(headers=headers, follow_redirects=True, timeout=TIMEOUT_S)


@contextlib.contextmanager
def _answers() -> Iterator[None]:
    """A failed request as OSError, in a sentence."""
    try:
        yield
    except httpx2.HTTPStatusError as error:
        raise OSError(f"{error.request.url.copy_with(query=None)} answers {error.response.status_code}") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OSError(f"the source cannot be reached: {error or type(error).__name__}") from None
