"""Connections that were made over HTTP end in time; their requests are in test_whip.py."""

import asyncio
from typing import Any

import pytest

from reverie.server import resource as module
from reverie.server.errors import AtCapacity, NotReady, Refused
from reverie.server.resource import Resource, failure


class Line:
    """A connection without a network."""

    def __init__(self) -> None:
        self.connected, self.closed = asyncio.Event(), 0

    async def add_candidate(self, message: Any) -> None: ...

    def restart(self, ufrag: str, password: str) -> str:
        return ""

    async def close(self) -> None:
        self.closed += 1


def made() -> tuple[Line, Resource]:
    line = Line()
    return line, Resource("/whip", "ufrag", "local", line, asyncio.Event(), line.close)


async def test_a_peer_that_never_connects_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 0.01)
    line, kept = made()
    await asyncio.wait_for(kept.stay(), 5)
    assert line.closed == 1


async def test_a_connected_peer_stays_until_it_is_ended_and_whoever_ends_it_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 0.01)
    line, kept = made()
    line.connected.set()
    staying = asyncio.create_task(kept.stay())
    await asyncio.sleep(0.05)
    assert not line.closed
    await kept.end()
    assert line.closed == 1
    await staying


def test_addresses_and_etags_are_unguessable_and_differ() -> None:
    one, other = (made()[1] for _ in range(2))
    assert one.location != other.location and one.etag != other.etag
    assert one.location.startswith("/whip/r/") and "?" not in one.location


def test_refusals_carry_status_code_and_when_to_try_again() -> None:
    assert failure(Refused(412, "wrong_etag", "no")).status_code == 412
    for error in (AtCapacity(3), NotReady()):
        answer = failure(error)
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
