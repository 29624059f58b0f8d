"""What every session wants, written down in Redis, so that another node can go on when this one dies.

Entries are encrypted with the fleet's key, which Redis never sees, and bound to their session and tenant.  An entry is
acknowledged once Redis has synced it to disk, or a replica has it.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import Redis
from redis.exceptions import RedisError

from reverie.client import holds
from reverie.client.protocol import ChangeSettings, Prompt, SetImage, encode, parse
from reverie.server.keys import JOURNAL_ENTRIES, JOURNAL_S, Keys
from reverie.server.returning import Said

log = logging.getLogger(__name__)
KEY_BYTES, NONCE_BYTES = 32, 12
SYNCED_MS = 1_500  # that an entry may take to reach the disk
MAX_ENTRY = 2_000_000  # bytes; a reference picture of more is not kept


@dataclass(frozen=True, slots=True)
class Taping:
    """A recording that was being made."""

    id: str
    compare: bool
    part: int


@dataclass(frozen=True, slots=True)
class Entry:
    """All that a session wants at one time; the newest one counts."""

    said: tuple[Said, ...] = ()
    taping: Taping | None = None
    visual: bytes = b""  # what its stream recalls (recall.py), where that is wanted


def journal_key(text: str, path: Path) -> bytes:
    """The fleet's key, or, where none is given, this node's own, made once."""
    if text:
        return bytes.fromhex(text)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()


class Journal:
    """Of one fleet.  It never raises because of Redis: who cannot write down goes on all the same."""

    def __init__(self, redis: Callable[[], Redis | None], keys: Keys, key: bytes | None) -> None:
        """Args: redis: the connection, while there is one.  key: 32 bytes; None keeps no journal."""
        self._redis, self._keys = redis, keys
        self._cipher = AESGCM(key) if key is not None else None
        self._warned = False

    async def write(self, session: str, tenant: str, entry: Entry) -> bool:
        """Whether it is safe: synced to disk or at a replica."""
        redis = self._redis()
        if redis is None or self._cipher is None:
            return False
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, _to_bytes(entry), self._bound_to(session, tenant))
        if len(sealed) > MAX_ENTRY:
            log.warning(
                "a session's wants are %d bytes, the journal takes %d; they are not kept", len(sealed), MAX_ENTRY
            )
            return False
        stream = self._keys.journal(session)
        try:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.xadd(stream, {b"e": sealed}, maxlen=JOURNAL_ENTRIES, approximate=False)
                pipe.expire(stream, JOURNAL_S)
                pipe.execute_command("WAITAOF", 1, 0, SYNCED_MS)
                added, _, synced = await pipe.execute(raise_on_error=False)
                if isinstance(added, Exception):
                    raise added
                if isinstance(synced, Exception):  # an older Redis, or one without an AOF
                    return await self._replicated(redis)
                return bool(synced[0])
        except (RedisError, OSError):
            return False

    async def read(self, session: str, tenant: str) -> Entry | None:
        """The newest entry; None if there is none, or none that this key opens."""
        redis = self._redis()
        if redis is None or self._cipher is None:
            return None
        try:
            newest: Any = await redis.xrevrange(self._keys.journal(session), count=1)
        except (RedisError, OSError):
            return None
        for _, fields in newest:
            sealed: bytes = fields[b"e"]
            try:
                opened = self._cipher.decrypt(
                    sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._bound_to(session, tenant)
                )
                return _from_bytes(opened)
            except (InvalidTag, ValueError):
                log.warning("an entry of the journal cannot be read: another key, tenant or version wrote it")
        return None

    async def forget(self, session: str) -> None:
        """Its client has hung up and will not come back."""
        if (redis := self._redis()) is not None and self._cipher is not None:
            try:
                await redis.delete(self._keys.journal(session))
            except (RedisError, OSError):
                return  # it expires

    async def _replicated(self, redis: Redis) -> bool:
        safe = int(await redis.wait(1, SYNCED_MS // 10)) > 0
        if not safe and not self._warned:
            self._warned = True
            log.warning("Redis keeps no AOF and has no replica: what sessions want is lost when it restarts")
        return safe

    def _bound_to(self, session: str, tenant: str) -> bytes:
        return json.dumps([self._keys.fleet, session, tenant]).encode()


def _to_bytes(entry: Entry) -> bytes:
    taping = None if entry.taping is None else asdict(entry.taping)
    visual = base64.b64encode(entry.visual).decode()
    return json.dumps({"said": [encode(each) for each in entry.said], "taping": taping, "visual": visual}).encode()


def _from_bytes(data: bytes) -> Entry:
    """Raises: ValueError."""
    body: dict[str, Any] = holds.whole(data.decode())
    try:
        said = tuple(parse(each) for each in body["said"])
        visual = base64.b64decode(body.get("visual", ""), validate=True)
        taping = None if body["taping"] is None else Taping(**body["taping"])
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
    return Entry(tuple(each for each in said if isinstance(each, Prompt | SetImage | ChangeSettings)), taping, visual)
