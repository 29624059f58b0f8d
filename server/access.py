"""Who calls: API keys and client tokens to tenants.

Keys lie hashed in the file that REVERIE_API_KEYS_FILE names, one a line: `TENANT SHA256 [sessions=N] [tier=TIER]
[minutes=N] [fps=N]`;
`reverie key` writes such lines.  Without a file no key is needed and everybody is the tenant "local".  A key has 256
random bits, so a plain SHA-256 of it cannot be guessed back.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection

from reverie.server.client_tokens import SHORT, Grant, Signer
from reverie.server.errors import Unauthorized
from reverie.server.fair import TIERS
from reverie.server.lan import Door
from reverie.server.placement import Holder
from reverie.server.settings import Settings

log = logging.getLogger(__name__)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")  # also a folder's
RANGES = {"sessions": (1, 1000), "minutes": (1, 1_000_000), "fps": (5, 240)}
MAX_KEY = 6000  # characters; a client token with everything in it


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whom sessions, files and jobs belong to."""

    name: str
    sessions: int = 0  # at once; 0 is the server's own limit
    tier: str = "standard"
    minutes: int = 0  # of all its sessions together in a day (UTC); 0 for any number
    fps: int = 0  # styled frames of a session in a second; 0 for any number


LOCAL = Tenant("local")


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant, by which credential, and what a client token allows; no grant is everything."""

    tenant: Tenant
    credential: str = ""  # digest of the key or token, never itself
    grant: Grant | None = None

    @property
    def holder(self) -> Holder:
        return Holder(self.tenant.name, self.tenant.tier)

    def may_use(self, *models: str) -> None:
        """Args: models: a model under all its names.  Raises Unauthorized unless one of them is allowed."""
        if self.grant and self.grant.models is not None and not set(self.grant.models) & set(models):
            raise Unauthorized(f"permission denied: this client token does not allow the model {models[0][:60]!r}")


class Access:
    """Knows keys; reads their file again when it changes, so that a key can be taken back at once."""

    def __init__(self, settings: Settings) -> None:
        """Raises ValueError if the file of keys cannot be used."""
        self.door: Door | None = None  # of a local network, whose devices are the tenant "local"
        self.signer = Signer(settings.data_folder / "client-token-key.pem")
        self._path = Path(settings.api_keys_file) if settings.api_keys_file else None
        self._read_at: tuple[int, int] | None = None
        self._keys: Mapping[str, Tenant] = {}
        if self._path is not None:
            self._keys, self._read_at = _read(self._path)

    @property
    def enforced(self) -> bool:
        return self._path is not None or self.door is not None

    def caller(self, key: str, origin: str | None = None) -> Caller:
        """Raises: Unauthorized; its text holds no key."""
        self._refresh()
        if len(key) > MAX_KEY:
            raise Unauthorized(f"Invalid API key: it has {len(key)} characters")
        digest = hashed(key)
        bare = key.removeprefix("ek_")
        if bare.count(".") == 2:
            return self._by_token(bare, origin)
        if not self.enforced or (self.door is not None and self.door.knows(key)):
            return Caller(LOCAL, digest)
        if not key:
            raise Unauthorized(
                "Invalid API key: this server needs one (X-API-KEY, or api_key of a WebSocket's address)"
            )
        if (tenant := self._keys.get(digest)) is None:
            raise Unauthorized("Invalid API key: this server does not know it")
        return Caller(tenant, digest)

    def _by_token(self, token: str, origin: str | None) -> Caller:
        grant = self.signer.read(token)
        tenants = {each.name: each for digest, each in self._keys.items() if digest[:SHORT] == grant.parent}
        if self._path is None or self.door is not None:
            tenants.setdefault(LOCAL.name, LOCAL)
        if grant.tenant not in tenants:
            raise Unauthorized("Invalid API key: the key that made this client token is no longer known")
        if origin is not None and grant.origins is not None and origin not in grant.origins:
            raise Unauthorized(f"permission denied: this client token does not allow pages of {origin[:100]!r}")
        return Caller(tenants[grant.tenant], hashed(token), grant)

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            if _stamp(self._path) != self._read_at:
                self._keys, self._read_at = _read(self._path)
        except (OSError, ValueError) as error:  # a file that is being written, or broken: the keys before stay
            log.error("the keys of before stay: %s", error)


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(tenant: str) -> tuple[str, str]:
    """A fresh key, shown once, and the line that lets it in.  Raises ValueError if the name is none."""
    if not NAME.fullmatch(tenant):
        raise ValueError(f"a tenant has 1 to 64 letters, digits, dots, dashes, underscores; got {tenant[:80]!r}")
    key = f"rv_{secrets.token_urlsafe(32)}"
    return key, f"{tenant} {hashed(key)}"


def parse(text: str) -> dict[str, Tenant]:
    """Digest to tenant.  Raises ValueError that names the line."""
    keys: dict[str, Tenant] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) < 2 or not NAME.fullmatch(words[0]) or not re.fullmatch(r"[0-9a-f]{64}", words[1]):
            raise ValueError(
                f"line {number} must be: TENANT SHA256 [sessions=N] [tier={'|'.join(TIERS)}] [minutes=N] [fps=N]"
            )
        keys[words[1]] = Tenant(words[0], **_options(number, words[2:]))
    return keys


def _options(number: int, words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        low, high = RANGES.get(name, (1, 0))
        if value.isascii() and value.isdigit() and low <= int(value) <= high:
            found[name] = int(value)
        elif name == "tier" and value in TIERS:
            found["tier"] = value
        else:
            ranges = ", ".join(f"{name}={low}..{high}" for name, (low, high) in RANGES.items())
            raise ValueError(f"line {number} has {word!r}; known are {ranges} and tier={'|'.join(TIERS)}")
    return found


def _read(path: Path) -> tuple[dict[str, Tenant], tuple[int, int]]:
    try:
        stamp = _stamp(path)
        return parse(path.read_text(encoding="utf-8")), stamp
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the keys file {path} cannot be read: {error}") from None
    except ValueError as error:
        raise ValueError(f"the keys file {path}: {error}") from None


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def caller_of(connection: HTTPConnection) -> Caller:
    """Who sent a request or opened a WebSocket; the gate has seen to it."""
    caller: Caller = connection.state.caller
    return caller
