"""A node that UDP does not reach: the one port that it may use for media is taken."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from rig.node import Node, serve


@contextmanager
def serve_without_udp(model: str, *flags: str) -> Iterator[Node]:
    with ExitStack() as stack:
        taken = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        if socket.has_dualstack_ipv6():
            other = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            other.bind(("::", port))
        stack.enter_context(mock.patch.dict(os.environ, REVERIE_UDP_PORTS=f"{port}-{port}"))
        yield stack.enter_context(serve(model, *flags))
