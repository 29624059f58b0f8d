"""For programs that get webhooks of a Reverie server: whether a message is its own, and fresh.

Source: Standard Webhooks specification; the libraries of that project verify them as well.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from reverie.client.errors import BadRequest

TOLERANCE_S = 300  # of clocks that differ, and of messages that were caught and sent again


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float | None = None) -> dict[str, Any]:
    """The message: {"type", "timestamp", "data"}.

    Args:
        secret: `whsec_...`, that of the server.
        headers: of the request, in any case of letters.
        now: time.time().
    Raises: BadRequest if it is not signed with the secret, or is older than five minutes.
    """
    given = {name.lower(): value for name, value in headers.items()}
    name, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs((time.time() if now is None else now) - int(stamp)) > TOLERANCE_S:
        raise BadRequest(f"a webhook needs a webhook-timestamp of the last {TOLERANCE_S} s, got {stamp[:20]!r}")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = base64.b64encode(hmac.digest(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)).decode()
    signatures = given.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(each.encode(), f"v1,{signed}".encode()) for each in signatures):
        raise BadRequest("the webhook's signature is not that of this secret")
    return dict(json.loads(body))
