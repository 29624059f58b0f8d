"""Client tokens: short-lived credentials that a program with an API key makes for a browser.

A token is a JWT signed with Ed25519 (RFC 8037), so every node that has the signing key's file knows it without asking.
Its claims have the names that Decart's SDKs read.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import secrets
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from reverie.server.errors import Unauthorized

log = logging.getLogger(__name__)
ISSUER = "reverie"  # of every token, and its audience
SHORT = 16  # letters of a key's digest that a token has


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client token allows; None is anything."""

    tenant: str
    models: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    max_session_s: int | None = None
    parent: str = ""  # the first letters of the digest of the key that made it


class Signer:
    """Owner of the signing key, which is made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        if not self._path.exists():
            pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            _write_once(self._path, pem)
        key = load_pem_private_key(self._path.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{self._path} holds no Ed25519 key")
        return key

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public key, as in /.well-known/jwks.json."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        name = hashlib.sha256(raw).hexdigest()[:16]
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": name, "alg": "EdDSA", "use": "sig"}

    def sign(self, grant: Grant, lifetime_s: int, metadata: dict[str, Any] | None = None) -> tuple[str, int]:
        """A token and when it expires, in seconds of the epoch."""
        now = int(time.time())
        constraints = {"realtime": {"maxSessionDuration": grant.max_session_s}} if grant.max_session_s else None
        claims = {
            "iss": ISSUER, "aud": ISSUER, "sub": grant.tenant, "organizationId": grant.tenant, "iat": now,
            "exp": now + lifetime_s, "jti": secrets.token_urlsafe(9), "parent_api_key_id": grant.parent,
            "models": grant.models, "origins": grant.origins, "constraints": constraints, "metadata": metadata,
        }  # fmt: skip
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, self._key, "EdDSA", headers={"kid": self.jwk["kid"]}), now + lifetime_s

    def read(self, token: str) -> Grant:
        """Raises: Unauthorized, also for a token that is over."""
        try:
            claims = jwt.decode(
                token, self._key.public_key(), ["EdDSA"], audience=ISSUER, issuer=ISSUER,
                options={"require": ["exp", "sub"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise Unauthorized("unauthorized: this client token has expired; make another") from None
        except jwt.PyJWTError:
            raise Unauthorized("Invalid API key: this client token is not one of this server's") from None
        listed = lambda name: tuple(claims[name]) if name in claims else None
        limits = claims.get("constraints", {}).get("realtime", {})
        parent = claims.get("parent_api_key_id", "")
        return Grant(claims["sub"], listed("models"), listed("origins"), limits.get("maxSessionDuration"), parent)


def _write_once(path: Path, content: bytes) -> None:
    """For the owner only; a process that does the same at the same time does no harm: the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    unfinished.touch(0o600)
    unfinished.write_bytes(content)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
