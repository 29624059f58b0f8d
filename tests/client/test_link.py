"""Addresses that people type."""

import pytest

from reverie.client import BadRequest
from reverie.client.link import address


@pytest.mark.parametrize(
    "typed, means",
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/stream"),
        ("https://me.example/", "wss://me.example/v1/stream"),
        ("localhost:8080", "ws://localhost:8080/v1/stream"),
        ("ws://h:1/v1/stream", "ws://h:1/v1/stream"),
        ("https://h/reverie?a=b", "wss://h/reverie/v1/stream?a=b"),
        ("http://[::1]:8080", "ws://[::1]:8080/v1/stream"),
    ],
)
def test_addresses(typed: str, means: str) -> None:
    assert address(typed) == means
    assert address(typed, "lucy 2") == means + ("&" if "?" in means else "?") + "model=lucy+2"


@pytest.mark.parametrize("typed", ["", "ftp://x", "http://", "file:///etc"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(BadRequest, match="8080"):
        address(typed)
