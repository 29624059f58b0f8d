"""TCP connections passed on to a server, some of which can be cut as a network does it: with a reset, unannounced."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

HEAD = 300  # bytes of a request that tell what it asks for
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time


class Relay:
    """`url` leads to the server at `port` of this machine."""

    def __init__(self, port: int) -> None:
        self._port, self._listening = port, socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket, bytearray]] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, path: str) -> int:
        """Reset the connections whose request asked for a path; how many there were."""
        asked = [pair for pair in self._pairs if path.encode() in pair[2].partition(b"?")[0]]
        for pair in asked:
            for end in pair[:2]:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.shutdown(socket.SHUT_RDWR)
            self._pairs.remove(pair)
        return len(asked)

    def close(self) -> None:
        self._listening.close()
        self.cut("")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                head = bytearray()
                self._pairs.append((client, server, head))
                for source, sink, seen in ((client, server, head), (server, client, bytearray())):
                    threading.Thread(target=_copy, args=(source, sink, seen), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket, seen: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if len(seen) < HEAD:
                seen += data[:HEAD]
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)  # close alone says nothing while the other thread reads
        end.close()
