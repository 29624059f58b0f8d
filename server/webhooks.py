"""What happens to sessions, told to programs of the operator's by signed HTTP POSTs.

Source: Standard Webhooks specification (headers webhook-id, webhook-timestamp, webhook-signature; symmetric `v1`).
`reverie.client.webhooks.verify` is the other side.  An answer that is not 2xx is tried again, later each time, under
the same id; 410 ends the messages to that address until the server starts again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import random
import secrets
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from reverie.client.protocol import EffectSkipped, FromServer, GenerationEnded, GenerationStarted, Status
from reverie.server.metrics import Metrics

log = logging.getLogger(__name__)
WAITS_S = (5.0, 30.0, 300.0, 1800.0, 7200.0)  # between tries, each a fifth more or less; then it is given up
TIMEOUT_S = 15.0
PENDING = 1000  # messages that may be on their way or wait for another try
PREFIX = "whsec_"
MIN_SECRET, MAX_SECRET = 24, 64  # bytes, by the specification


class Webhooks:
    """Lives on the event loop; without addresses nothing happens."""

    def __init__(self, urls: Sequence[str], key: bytes, metrics: Metrics, waits_s: Sequence[float] = WAITS_S) -> None:
        """Raises ValueError if an address is not http or https."""
        for url in urls:
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
                raise ValueError(f"a webhook's address is http://... or https://..., got {url[:200]!r}")
        self._urls, self._key, self._metrics, self._waits_s = list(urls), key, metrics, waits_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(4, "webhooks") if urls else None

    def tell(self, event: str, **data: object) -> None:
        """Args: event: as session.started; data: what JSON can hold."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = json.dumps({"type": event, "timestamp": now, "data": data}).encode()
        name = f"msg_{secrets.token_urlsafe(18)}"
        for url in self._urls:
            if len(self._tasks) >= PENDING:
                self._count("dropped")
                continue
            task = asyncio.get_running_loop().create_task(self._deliver(url, name, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def hear(self, session: str, tenant: str, message: FromServer) -> None:
        """What a session's client is told, where it is of interest to others."""
        about = {"session": session, "tenant": tenant}
        match message:
            case GenerationStarted():
                self.tell("generation.started", **about)
            case GenerationEnded(seconds, reason):
                self.tell("generation.ended", **about, seconds=seconds, reason=reason)
            case Status(state, reason):
                self.tell("session.status", **about, state=state, reason=reason)
            case EffectSkipped(effect, reason):
                self.tell("effect.skipped", **about, effect=effect, reason=reason)

    async def close(self, timeout_s: float = 2.0) -> None:
        """Wait for what is on its way; what waits for another try is given up."""
        self._urls = []
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, url: str, name: str, body: bytes) -> None:
        loop, where = asyncio.get_running_loop(), urlsplit(url).hostname
        for wait_s in (*self._waits_s, None):
            status, reason, asked_s = await loop.run_in_executor(self._threads, self._post, url, name, body)
            if 200 <= status < 300:
                return self._count("delivered")
            if status == HTTPStatus.GONE:
                log.warning("the webhook at %s wants no more messages (410)", where)
                self._urls = [each for each in self._urls if each != url]
                break
            if wait_s is None:
                log.warning("a webhook for %s is given up: %s", where, reason)
                break
            self._count("retried")
            await asyncio.sleep(max(asked_s, wait_s * random.uniform(0.8, 1.2)))
        self._count("dropped")

    def _post(self, url: str, name: str, body: bytes) -> tuple[int, str, float]:
        """Status (0 without an answer), reason, and for how many seconds the other side asks."""
        now = int(time.time())
        headers = {
            "content-type": "application/json", "user-agent": "Reverie-Webhooks", "webhook-id": name,
            "webhook-timestamp": str(now), "webhook-signature": signature(self._key, name, now, body),
        }  # fmt: skip
        try:
            opener = urllib.request.build_opener(_NoRedirect)
            with opener.open(urllib.request.Request(url, body, headers, method="POST"), timeout=TIMEOUT_S) as answer:
                return answer.status, "", 0.0
        except HTTPError as refusal:
            with refusal:
                asked = refusal.headers.get("retry-after", "")
                return (
                    refusal.code,
                    f"it answered {refusal.code}",
                    min(float(asked), 7200.0) if asked.isdigit() else 0.0,
                )
        except (OSError, ValueError) as error:  # http.client's are among the first
            return 0, f"it cannot be reached: {type(error).__name__}", 0.0

    def _count(self, outcome: str) -> None:
        self._metrics.webhooks.labels(outcome).inc()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a failure: a signed message is for one address."""

    def redirect_request(self, *args: Any) -> None:
        return None


def signature(key: bytes, name: str, timestamp: int, body: bytes) -> str:
    signed = hmac.digest(key, f"{name}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def key_of(secret: str, file: Path) -> bytes:
    """The bytes of a secret, `whsec_` and base64.  Without one it is in `file`, and made there the first time.

    Raises ValueError, which does not tell the secret.
    """
    if not secret:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(0o600)
            file.write_text(PREFIX + base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
            log.info("webhooks are signed with the secret in %s", file)
        secret = file.read_text().strip()
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not MIN_SECRET <= len(key) <= MAX_SECRET:
        raise ValueError(
            f"a webhook secret is {PREFIX} and base64 of {MIN_SECRET} to {MAX_SECRET} bytes, as the specification says"
        )
    return key
