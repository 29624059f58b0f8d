"""The relay hides no end of a connection: a browser that waits for one is told at once."""

import socket

import pytest
from rig.relay import Relay

PATIENCE_S = 1.0  # Chromium waits 2 s for the end of a WebSocket that has said goodbye


@pytest.mark.parametrize("ended_by", ["client", "server"])
def test_the_end_of_a_connection_reaches_the_other_side(ended_by: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        relay = Relay(listening.getsockname()[1])
        client = socket.create_connection(("127.0.0.1", int(relay.url.rpartition(":")[2])))
        server, _ = listening.accept()
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert server.recv(100).startswith(b"GET /")
        ends, stays = (client, server) if ended_by == "client" else (server, client)
        stays.settimeout(PATIENCE_S)
        ends.close()
        assert stays.recv(100) == b""
        stays.close()
        relay.close()
