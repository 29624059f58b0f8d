"""The socket that a node answers on, taken before a model is loaded: a taken port is refused at once."""

from __future__ import annotations

import errno
import socket


class CannotListen(Exception):
    """The address cannot be listened on; the text says which and why."""


def listen(host: str, port: int) -> socket.socket:
    """A TCP socket that listens; who connects before a server is there waits for it.  Raises CannotListen."""
    listening: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()  # with SO_REUSEADDR a port that is only bound could be bound once more
    except OSError as error:
        if listening is not None:
            listening.close()
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
        raise CannotListen(f"cannot listen on {host}:{port}: {reason}") from None
    return listening
