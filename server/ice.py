"""STUN and TURN servers, for us and for clients; credentials of TURN are made from a secret shared with it.

Source: draft-uberti-behave-turn-rest-00 (coturn's `use-auth-secret`); Link header: RFC 9725, 4.6.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass

from reverie.server.settings import Settings

LIFETIME_S = 6 * 3600  # of a credential; TURN asks for it again on every refresh


@dataclass(frozen=True, slots=True)
class IceServer:
    url: str  # stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp] or turns:
    username: str = ""
    credential: str = ""

    def link(self) -> str:
        """The value of a Link header.  OBS reads it in this order, and only <stun: and <turn:."""
        link = f'<{self.url}>; rel="ice-server"'
        if self.username:
            link += f'; username="{self.username}"; credential="{self.credential}"; credential-type="password"'
        return link


def ice_servers(settings: Settings, now: float | None = None) -> list[IceServer]:
    """The operator's list with credentials.  Args: now: time.time()."""
    made = []
    for url in settings.ice_servers:
        if not url.startswith(("turn:", "turns:")):
            made.append(IceServer(url))
        elif settings.turn_secret:
            expires = int(time.time() if now is None else now) + LIFETIME_S
            made.append(IceServer(url, f"{expires}:reverie", password(settings.turn_secret, f"{expires}:reverie")))
        else:
            made.append(IceServer(url, settings.turn_user, settings.turn_password))
    return made


def password(secret: str, username: str) -> str:
    """What a TURN server with that secret takes for a user, whose name begins with the time of expiry."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()
