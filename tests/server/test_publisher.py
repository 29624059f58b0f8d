"""The client that a session was made for; its pictures are in test_session.py."""

from typing import Any

import pytest

from reverie.server.errors import BadOffer
from reverie.server.publisher import Publisher
from reverie.server.settings import Settings


async def test_a_session_takes_one_offer() -> None:
    session: Any = type("Session", (), {"media_failed": lambda self: None})()
    publisher = Publisher(session, Settings())
    with pytest.raises(BadOffer, match="cannot be answered"):
        await publisher.answer("v=0\r\nm=video\r\n")
    with pytest.raises(BadOffer, match="one offer"):
        await publisher.answer("v=0")
    await publisher.close()
