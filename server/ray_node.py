"""`reverie serve` in one of Ray's actors: the node and its media live in the actor's process, Ray sees neither."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import threading
from dataclasses import dataclass, replace

from reverie.server import listening, serve
from reverie.server.node import Node
from reverie.server.settings import Settings

STOP_S = 15.0  # that a node may take to tell its clients and end


@dataclass(frozen=True, slots=True)
class Look:
    """A node as `RayNode.look` saw it."""

    url: str
    pid: int
    ready: bool
    fault: str  # why its model cannot be loaded
    sessions: int
    waiting: int  # clients in line here


class RayNode:
    """One node, on a thread of its own.  What it is called with is all it needs to begin again after a crash."""

    def __init__(self, settings: Settings) -> None:
        """Raises: listening.CannotListen; ValueError on a setting that cannot be used."""
        logging.basicConfig(level=logging.INFO)
        serve.check(settings)
        self._listening = listening.listen(settings.host, settings.port)
        settings = _reachable(settings, self._listening.getsockname()[1])
        self._made = serve.made(self._listening, settings)
        self._url = settings.node_url or self._made.url
        self._stopping, self._ended = False, threading.Event()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="node", daemon=True).start()

    def look(self) -> Look:
        node = self._node
        sessions, waiting = (0, 0) if node is None else (len(node.sessions), len(node.line) + node.fleet.waiting)
        ready, fault = (node.model is not None, node.fault) if node is not None else (False, "")
        return Look(self._url, os.getpid(), ready, fault, sessions, waiting)

    def drain(self) -> None:
        """From now on no session begins here; those that run go on."""
        if (node := self._node) is not None:
            asyncio.run_coroutine_threadsafe(node.drain(), self._loop).result(STOP_S)

    def stop(self) -> None:
        """Tell all clients, which go to other nodes, and end."""
        self._stopping = True
        self._made.server.should_exit = True
        self._ended.wait(STOP_S)

    @property
    def _node(self) -> Node | None:
        """Once the application has begun."""
        node: Node | None = getattr(self._made.app.state, "node", None)
        return node

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._made.server.serve(sockets=[self._listening]))
        self._listening.close()
        self._ended.set()
        if not self._stopping:
            os._exit(1)  # Ray starts it again


def _reachable(settings: Settings, port: int) -> Settings:
    """With this machine's address, where the node listens on all."""
    if settings.node_url or not ipaddress.ip_address(settings.host).is_unspecified:
        return settings
    import ray

    address = ray.util.get_node_ip_address()
    return replace(settings, node_url=f"http://{address}:{port}", hosts=(*settings.hosts, address))
