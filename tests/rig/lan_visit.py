"""`reverie serve --lan` in one network namespace, its visitor in another: unshare -n python lan_visit.py FOLDER.

Prints one JSON object: what a stranger, the first and the second use of the link were answered, and whether the SDK,
with the key of a second link, got a styled frame over WebRTC.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any

import numpy as np

SERVER, VISITOR = "10.98.0.1", "10.98.0.2"
LIMIT_S = 60.0


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


def run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


def join_networks(there: int) -> list[str]:
    """A cable between this namespace and that of the process `there`; the words that run something in that one."""
    inside = ["nsenter", "-t", str(there), "-n"]
    run("ip link set lo up")
    run(f"ip link add visitor type veth peer name server netns {there}")
    run(f"ip address add {VISITOR}/24 dev visitor")
    run("ip link set visitor up")
    for command in ("ip link set lo up", f"ip address add {SERVER}/24 dev server", "ip link set server up"):
        run(" ".join([*inside, command]))
    return inside


def ask(context: SSLContext, url: str, cookie: str = "", method: str = "GET") -> tuple[int, str, str]:
    """Status, text, cookie."""
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), NoRedirect)
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {}, method=method)
    try:
        answer = opener.open(request, timeout=20)
    except urllib.error.HTTPError as refusal:
        answer = refusal  # type: ignore[assignment]
    with answer:
        return answer.status, answer.read().decode(), answer.headers.get("set-cookie", "").split(";")[0]


def wait(true: Any) -> Any:
    ends = time.monotonic() + LIMIT_S
    while not (found := true()):
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.05)
    return found


async def styled(url: str, key: str, ca: str) -> bool:
    from reverie.client import connect

    async def camera() -> Any:
        while True:
            yield np.full((96, 160, 3), 40, np.uint8)
            await asyncio.sleep(1 / 15)

    async with connect(url, camera(), "invert", api_key=key, ca=ca, reconnect=False, timeout_s=LIMIT_S) as session:
        async for frame in session:
            if frame.step and frame.image.mean() > 150:
                return True
    return False


def visit(log: Path, cert: Path) -> dict[str, Any]:
    links = lambda: re.findall(r"https://\S+/join/\S+", log.read_text())
    link = wait(links)[0]
    base = link.partition("/join/")[0]
    assert base.startswith(f"https://{SERVER}:"), base
    context = create_default_context(cafile=str(cert))

    def ready() -> bool:
        with suppress(OSError):
            return ask(context, f"{base}/readyz")[0] == 200
        return False

    wait(ready)
    said: dict[str, Any] = {"stranger": ask(context, base)[0]}
    said["first"], _, cookie = ask(context, link)
    said["page"] = ask(context, base, cookie)[0]
    said["second"], said["second_text"], _ = ask(context, link)
    wait(lambda: len(links()) == 2)
    said["links"], said["qr"] = len(links()), "▀" in log.read_text()
    try:
        said["plain_http"] = bool(ask(context, base.replace("https", "http"))[0])
    except OSError:
        said["plain_http"] = False
    key = json.loads(ask(context, links()[1], method="POST")[1])["api_key"]
    return said | {"styled": asyncio.run(styled(base, key, str(cert)))}


def main() -> None:
    folder = Path(sys.argv[1])
    other = subprocess.Popen(["unshare", "-n", "sleep", "300"])
    wait(lambda: os.readlink(f"/proc/{other.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
    inside = join_networks(other.pid)
    log = folder / "log"
    command = [*inside, sys.executable, "-m", "reverie.server", "serve", "--lan", "--port", "0", "--model", "toy"]
    with log.open("w") as written:
        environment = {**os.environ, "REVERIE_DATA": str(folder), "PYTHONUNBUFFERED": "1"}
        server = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, env=environment)
    try:
        print(json.dumps(visit(log, folder / "tls" / "cert.pem")))
    except BaseException:
        print(log.read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        other.kill()
        other.wait()


if __name__ == "__main__":
    main()
