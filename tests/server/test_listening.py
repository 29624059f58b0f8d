"""Addresses that can be listened on, and what is said of those that cannot."""

import socket

import pytest

from reverie.server.listening import CannotListen, listen


def test_any_free_port_is_bound() -> None:
    with listen("127.0.0.1", 0) as listening:
        host, port = listening.getsockname()
    assert host == "127.0.0.1" and port


def test_a_port_is_taken_while_its_owner_still_loads() -> None:
    with listen("127.0.0.1", 0) as loading, pytest.raises(CannotListen, match="the port is in use"):
        listen(*loading.getsockname())


def test_what_is_taken_or_not_ours_is_told_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: the port is in use"):
            listen("127.0.0.1", port)
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0: "):
        listen("192.0.2.1", 0)
