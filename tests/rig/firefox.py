"""Headless Firefox, driven by WebDriver BiDi over its own WebSocket: no driver program is needed.

Source: W3C WebDriver BiDi.  The camera is Firefox's own fake one, which changes colour all the time.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

HERE = Path(__file__).parent
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}
START_S = 90.0


def firefox() -> str:
    """The path of the installed Firefox.  Raises FileNotFoundError if there is none."""
    for name in ("firefox-esr", "firefox"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("no Firefox found; install the Debian package firefox-esr")


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.ask("session.new", capabilities={})
        self._tab = self.ask("browsingContext.getTree")["contexts"][0]["context"]
        watch = f"() => {{ {(HERE / 'watch.js').read_text()} }}"
        self.ask("script.addPreloadScript", functionDeclaration=watch)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's result.  Raises RuntimeError with Firefox's words."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(timeout=START_S))
            if said.get("id") == self._number:
                if said["type"] == "error":
                    raise RuntimeError(f"{method}: {said['message']}")
                return dict(said["result"])

    def goto(self, url: str) -> None:
        self.ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression gives, as if the user had just touched the page."""
        said = self.ask(
            "script.evaluate", expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._tab}, awaitPromise=True, userActivation=True,
        )  # fmt: skip
        if said["type"] == "exception":
            raise RuntimeError(said["exceptionDetails"]["text"])
        return json.loads(said["result"].get("value", "null"))

    def until(self, condition: str, limit_s: float = 60.0) -> None:
        """Raises AssertionError that names the condition."""
        ends = time.monotonic() + limit_s
        while not self.evaluate(condition):
            state = self.evaluate("document.querySelector('#state-text')?.textContent ?? document.title")
            assert time.monotonic() < ends, f"not within {limit_s} s: {condition}; the page says {state!r}"
            time.sleep(0.1)


@contextmanager
def launch() -> Iterator[Page]:
    """Raises FileNotFoundError without Firefox; RuntimeError with its last words if it does not start."""
    with tempfile.TemporaryDirectory() as profile:
        written = "".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()
        )
        (Path(profile) / "user.js").write_text(written)
        log = Path(profile) / "log"
        command = [firefox(), "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        with log.open("w") as words:
            process = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT)
        try:
            with connect(f"{_address(process, log)}/session", max_size=2**26, open_timeout=START_S) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    ends = time.monotonic() + START_S
    while not (found := re.search(r"BiDi listening on (ws://\S+)", log.read_text())):
        if process.poll() is not None or time.monotonic() > ends:
            raise RuntimeError(f"Firefox does not start: {log.read_text()[-1000:]}")
        time.sleep(0.1)
    return found[1]
