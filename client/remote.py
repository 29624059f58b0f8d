"""The looks of a running session over HTTP, for programs that are not its client: chats, scenes, decks."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from reverie.client.errors import BadRequest, ConnectionLost

TIMEOUT_S = 5


class Remote:
    """A session at a server; `newest` is the one that began last."""

    def __init__(self, url: str, session: str = "newest", api_key: str = "") -> None:
        self._url = f"{url.rstrip('/')}/v1/sessions/{quote(session, safe='')}"
        self._headers = {"Content-Type": "application/json"} | ({"X-API-KEY": api_key} if api_key else {})

    async def wear(self, prompt: str, *, transition_s: float = 0.0, mask: str | None = None) -> None:
        """Take on a look; "" is the camera.  Raises: BadRequest with the server's words and code; ConnectionLost."""
        fields = {"prompt": prompt, "transition_s": transition_s, **({"mask": mask} if mask else {})}
        await asyncio.to_thread(self._ask, "POST", "/prompt", fields)

    async def state(self) -> dict[str, Any]:
        """What it shows: prompt, mask, state, viewers.  Raises: as `wear`."""
        return await asyncio.to_thread(self._ask, "GET", "", None)

    def _ask(self, method: str, path: str, body: object) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(self._url + path, data, self._headers, method=method), timeout=TIMEOUT_S) as answer:
                return json.load(answer)
        except HTTPError as refusal:
            raise BadRequest(*_words(refusal)) from None
        except (URLError, OSError) as error:
            raise ConnectionLost(f"{self._url} cannot be reached: {getattr(error, 'reason', error)}") from None


def _words(refusal: HTTPError) -> tuple[str, str]:
    try:
        body = json.load(refusal)
        return str(body["error"]), str(body["error_type"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {refusal.code}", "bad_request"
