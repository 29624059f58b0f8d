"""What tenants have uploaded, on disk."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from reverie.server.errors import Refused
from reverie.server.recordings import MIN_FREE

ID = re.compile(r"file_[A-Za-z0-9_-]{16,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is known of a file; of `/v1/files`, too."""

    id: str
    filename: str
    mime_type: str
    size_bytes: int
    created_at: str
    expires_at: str | None = None


class Files:
    """A folder per tenant; beside each file lies what is known of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, tenant: str, data: bytes, filename: str, mime_type: str, ttl_s: int | None) -> Stored:
        """Keep a file; those that are over go.  Raises: Refused 507."""
        now = time.time()
        stored = Stored(
            id=f"file_{secrets.token_urlsafe(18)}", filename=Path(filename or "upload").name[:200],
            mime_type=mime_type, size_bytes=len(data), created_at=_iso(now),
            expires_at=_iso(now + ttl_s) if ttl_s else None,
        )  # fmt: skip
        folder = self._folder / tenant
        folder.mkdir(parents=True, exist_ok=True)
        for known in folder.glob("file_*.json"):
            self.find(tenant, known.stem)
        if (free := shutil.disk_usage(folder).free - len(data)) < MIN_FREE:
            raise Refused(
                507, "disk_full", f"{max(0, free) // 10**6} MB would be free, {MIN_FREE // 10**6} must stay so"
            )
        (folder / f"{stored.id}.json").write_text(json.dumps(asdict(stored)))
        (folder / stored.id).write_bytes(data)  # last: it is there once it is
        return stored

    def find(self, tenant: str, name: str) -> tuple[Stored, Path] | None:
        """None if it is not there, not theirs or over."""
        path = self._folder / tenant / name
        if not ID.fullmatch(name) or not path.is_file():
            return None
        try:
            stored = Stored(**json.loads(path.with_name(f"{name}.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None  # another process is removing it, or one died
        if stored.expires_at and datetime.fromisoformat(stored.expires_at) < datetime.now(UTC):
            self.remove(tenant, name)
            return None
        return stored, path

    def remove(self, tenant: str, name: str) -> None:
        for path in (self._folder / tenant / name, self._folder / tenant / f"{name}.json"):
            path.unlink(missing_ok=True)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
