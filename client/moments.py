"""What was streamed, found again: moments of a server, from Python."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from reverie.client.errors import BadRequest, ConnectionLost

TIMEOUT_S = 120  # the first question loads the server's sentence encoder


@dataclass(frozen=True, slots=True)
class Moment:
    """One that was found, best first."""

    id: str
    session: str
    begin: float  # Unix time, seconds
    end: float
    style: str  # the prompt that was worn, "" is the camera
    caption: str
    facts: list[str]
    media: str  # where it can be seen again: recording:ID, file:PATH, or ""
    media_s: float
    thumbnails: dict[str, int]  # how many there are of source and output
    score: float
    cosine: float | None


async def search(
    url: str, words: str = "", *, image: Path | bytes | None = None, video: Path | bytes | None = None,
    like: str = "", session: str = "", after: float | None = None, before: float | None = None,
    style: str | None = None, side: str = "", limit: int = 20, api_key: str = "",
) -> list[Moment]:  # fmt: skip
    """Moments by free words, a picture (PNG, JPEG, WebP), a video (its first 10 s), a moment's id, or words with one.

    Args: after, before: Unix seconds.  style: a prompt, as it was typed.  side: "source" or "output" alone.
    Raises: BadRequest with the server's words; ConnectionLost.
    """
    given = {
        "q": words, "like": like, "session": session, "after": after, "before": before, "style": style, "side": side,
        "limit": limit,
    }  # fmt: skip
    query = urlencode({name: value for name, value in given.items() if value not in (None, "")})
    sample = image if image is not None else video
    body = sample.read_bytes() if isinstance(sample, Path) else sample
    headers = {"X-API-KEY": api_key} if api_key else {}
    found = await asyncio.to_thread(_ask, Request(f"{url.rstrip('/')}/v1/search?{query}", body, headers))
    known = {field.name for field in fields(Moment)}
    return [Moment(**{name: value for name, value in hit.items() if name in known}) for hit in found["hits"]]


def _ask(request: Request) -> dict[str, Any]:
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        with error:
            try:
                said = str(json.load(error)["error"])
            except (ValueError, KeyError, TypeError):
                said = f"the server answered {error.code}"
        raise BadRequest(said) from None
    except (URLError, TimeoutError) as error:
        raise ConnectionLost(f"{request.host} cannot be reached: {error}") from None
