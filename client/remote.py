"""The looks of a running session over HTTP, for programs that are not its client: chats, scenes, decks."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from reverie.client.errors import BadRequest, ConnectionLost

MAX_WORDS = 2000  # characters that are told at once
TIMEOUT_S, SPEECH_S = 5.0, 60.0  # the first words wait for their model


class Remote:
    """A session at a server; `newest` is the one that began last."""

    def __init__(self, url: str, session: str = "newest", api_key: str = "") -> None:
        self._url = f"{url.rstrip('/')}/v1/sessions/{quote(session, safe='')}"
        self._headers = {"Content-Type": "application/json"} | ({"X-API-KEY": api_key} if api_key else {})

    async def wear(self, prompt: str, *, transition_s: float = 0.0, mask: str | None = None) -> None:
        """Take on a look; "" is the camera.  Raises: BadRequest with the server's words and code; ConnectionLost."""
        fields = {"prompt": prompt, "transition_s": transition_s, **({"mask": mask} if mask else {})}
        await asyncio.to_thread(self._ask, "POST", "/prompt", fields)

    async def say(self, sound: bytes) -> str:
        """Take on the look that is said in a file of sound (WAV, WebM, Ogg, FLAC, MP4); its words, "" for none.

        Raises: as `wear`; BadRequest with the code no_speech if the server lacks its extra `speech`.
        """
        words = str((await asyncio.to_thread(self._post_sound, sound))["text"])
        if words:
            await self.wear(words)
        return words

    async def tell(self, words: str) -> None:
        """Let what is said now be found with the moment, if the session is indexed.  Raises: as `wear`."""
        await asyncio.to_thread(self._ask, "POST", "/words", {"text": words[:MAX_WORDS]})

    async def state(self) -> dict[str, Any]:
        """What it shows: prompt, mask, state, viewers.  Raises: as `wear`."""
        return await asyncio.to_thread(self._ask, "GET", "", None)

    def _ask(self, method: str, path: str, body: object) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        return self._request(Request(self._url + path, data, self._headers, method=method))

    def _post_sound(self, sound: bytes) -> dict[str, Any]:
        headers = self._headers | {"Content-Type": "application/octet-stream"}
        url = f"{self._url.partition('/v1/sessions/')[0]}/v1/speech"
        return self._request(Request(url, sound, headers, method="POST"), SPEECH_S)

    def _request(self, request: Request, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        try:
            with urlopen(request, timeout=timeout_s) as answer:
                return dict(json.loads(answer.read() or b"{}"))
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
