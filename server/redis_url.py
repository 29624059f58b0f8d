"""What an address of Redis says; the clients themselves are made where they are used, blocking or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Servers that know which Redis is the master."""

    hosts: tuple[tuple[str, int], ...]
    name: str  # of the master
    database: int
    user: str | None
    password: str | None

    @property
    def given(self) -> dict[str, Any]:
        """What a client of the master is told."""
        return {"db": self.database, "username": self.user, "password": self.password}


def sentinels(url: str) -> Sentinels | None:
    """Of sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/NAME[/DB]; None of another address.  Raises: ValueError."""
    if not url.startswith("sentinel://"):
        return None
    credentials, _, rest = url.removeprefix("sentinel://").rpartition("@")
    hosts, _, path = rest.partition("/")
    name, _, database = path.partition("/")
    user, _, password = credentials.partition(":")
    pairs = tuple((host, int(port or 26379)) for host, _, port in (each.partition(":") for each in hosts.split(",")))
    return Sentinels(pairs, name or "mymaster", int(database or 0), user or None, password or None)
