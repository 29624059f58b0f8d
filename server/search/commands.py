"""`reverie search`: asks this machine's moments, or a server's."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from reverie.models.search import space
from reverie.server.search.archive import Archive, Query
from reverie.server.search.footage import asked_with
from reverie.server.search.index import ALL, Filter
from reverie.server.settings import Settings

TIMEOUT_S = 120  # the first question loads the sentence encoder


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    text: str
    image: Path | None = None  # a picture, or a clip
    like: str = ""
    only: Filter = ALL
    mode: str = "hybrid"
    limit: int = 10
    tenant: str = "local"
    url: str = ""  # of a server; "" asks the moments on this machine's disk
    api_key: str = ""


def search(settings: Settings, asked: Asked) -> dict[str, Any]:
    """{"hits": [...], "index": where}.  Raises: ValueError, FileNotFoundError, OSError, each with one sentence."""
    return _at_server(asked) if asked.url else _here(settings, asked)


def _here(settings: Settings, asked: Asked) -> dict[str, Any]:
    archive = open_archive(settings)
    try:
        vector, journal = None, archive.journal(asked.tenant)
        if asked.image is not None:
            vector = asked_with(archive.space, asked.image)
        if asked.like:
            if not (entries := journal.entries([asked.like])):
                raise ValueError(f"there is no moment {asked.like[:60]!r}")
            vector = entries[0].vectors.get("output", entries[0].vectors["source"])
        query = Query(asked.text, vector, asked.only, asked.limit, asked.mode, asked.like)
        hits = archive.find(asked.tenant, query)
        rows = [asdict(hit.moment) | {"score": hit.score, "cosine": hit.cosine} for hit in hits]
        return {"hits": rows, "index": archive.kind}
    finally:
        archive.close()


def open_archive(settings: Settings) -> Archive:
    """The moments of this machine's disk, whether a server runs or not."""
    return Archive(settings.data_folder / "moments", space.load(settings.search_model), cells=settings.moment_cells)


def _at_server(asked: Asked) -> dict[str, Any]:
    only = {key: value for key, value in asdict(asked.only).items() if value not in (None, "")}
    query = urlencode(only | {"q": asked.text, "limit": asked.limit} | ({"like": asked.like} if asked.like else {}))
    body = None if asked.image is None else asked.image.read_bytes()
    query += f"&mode={asked.mode}" if body is None else ""
    headers = {"X-API-KEY": asked.api_key} if asked.api_key else {}
    request = Request(f"{asked.url.rstrip('/')}/v1/search?{query}", body, headers)
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        with error:
            raise ValueError(_words(error)) from None
    except URLError as error:
        raise ValueError(f"no server at {asked.url}: {error.reason}") from None


def when(given: str | None) -> float | None:
    """Unix seconds of a time as it is typed.  Raises ValueError."""
    if given is None:
        return None
    try:
        return float(given)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(given).timestamp()
    except ValueError:
        raise ValueError(f"{given!r} is no time; write Unix seconds, or as 2026-11-25T10:00") from None


def _words(error: HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {error.code}"


def text(found: dict[str, Any]) -> str:
    """For people: a line per moment."""
    if not found["hits"]:
        return (
            "nothing was found; sessions are indexed when they ask for it (settings: index), files by `reverie index`"
        )
    return "\n".join(_line(hit) for hit in found["hits"])


def _line(hit: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(hit["begin"]).strftime("%Y-%m-%d %H:%M:%S")
    words = hit["caption"] or ", ".join(hit["facts"]) or hit["style"] or "camera"
    where = f"{hit['media']} at {hit['media_s']:.0f} s" if hit["media"] else f"session {hit['session'][:12]}"
    return f"{hit['score']:.3f}  {when}  {hit['end'] - hit['begin']:4.0f} s  {words}  [{where}]  {hit['id']}"
