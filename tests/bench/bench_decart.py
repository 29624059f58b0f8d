"""Decart's own JS SDK against this server, as its user meets it: `reverie bench decart --json`.

How to read it: Chromium with npm @decartai/sdk on a page of another origin, loopback, a 1280x720 fake camera at 30 fps.
`connect_s` until connect() answers, `first_styled_s` until the picture on the page is red, both from the call;
`good_s` until the SDK itself calls the connection good; `reconnect_s` from cutting the control socket (TCP reset) until
the look that was set last is on the page again, the page giving the camera anew as client/docs/migrate.md says.
`g2g_ms` is glass to glass as the SDK measures it (`debugQuality`), half a minute at most after it is good.
Medians of `--runs` visits.  The toy model shows what signalling and media cost; a model of the server adds its steps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[1])]

try:
    from environment import environment, table
    from playwright.sync_api import Browser, sync_playwright
    from rig.browser import FLAGS, chromium, until
    from rig.decart import CAMERA_BACK, CONNECT, GREEN, OLD_CLOCK, RED, installed, served_page
    from rig.node import serve
    from rig.relay import Relay
except ModuleNotFoundError as missing:
    print(f"bench decart needs the package {missing.name}: install the extra reverie[bench]", file=sys.stderr)
    sys.exit(2)

LIMITS = {
    "connect_s": 1.5,
    "first_styled_s": 2.0,
    "good_s": 10.0,
    "g2g_ms": 150.0,
    "reconnect_s": 3.0,
}  # what the project promises
LIMIT_S = 60.0
LOOK = {"initialState": {"prompt": {"text": "red", "enhance": False}}, "debugQuality": True}
G2G_S = 5.0  # that it is measured for


def visit(browser: Browser, origin: str, relay: Relay) -> dict[str, float]:
    page = browser.new_page()
    page.goto(origin)
    page.evaluate(OLD_CLOCK)
    began = time.monotonic()
    passed = lambda: round(time.monotonic() - began, 2)
    page.evaluate(CONNECT, [relay.url, LOOK, "local"])
    seen = {"connect_s": passed()}
    until(page, RED, limit_s=LIMIT_S)
    seen["first_styled_s"] = passed()
    until(page, "live.getConnectionQuality()?.quality === 'good'", limit_s=LIMIT_S)
    seen["good_s"] = passed()
    until(page, "live.getConnectionQuality().metrics.g2gMs > 0", limit_s=LIMIT_S)
    time.sleep(G2G_S)
    seen["g2g_ms"] = page.evaluate("live.getConnectionQuality().metrics.g2gMs")
    page.evaluate("live.setPrompt('green', {enhance: false})")
    until(page, GREEN, limit_s=LIMIT_S)
    page.evaluate(CAMERA_BACK)
    page.evaluate("() => { a.srcObject = null; }")
    began = time.monotonic()
    relay.cut("/v1/stream")
    until(page, f"a.srcObject !== null && a.videoWidth > 0 && {GREEN}", limit_s=LIMIT_S)
    seen["reconnect_s"] = passed()
    page.evaluate("live.disconnect()")
    page.close()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    arguments = parser.parse_args()
    flags = [*FLAGS, "--autoplay-policy=no-user-gesture-required"]
    with tempfile.TemporaryDirectory() as folder, served_page(installed(), Path(folder)) as origin:
        os.environ["REVERIE_ORIGINS"] = origin
        with serve("toy") as node, sync_playwright() as playwright:
            relay = Relay(int(node.url.rpartition(":")[2]))
            browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=flags)
            visits = [visit(browser, origin, relay) for _ in range(arguments.runs)]
            browser.close()
            relay.close()
    medians = {name: statistics.median(each[name] for each in visits) for name in LIMITS}
    print(table([{"figure": name, "median": medians[name], "promised": LIMITS[name]} for name in LIMITS]))
    print(json.dumps({"bench": "decart", "environment": environment(), "runs": len(visits), **medians}))


if __name__ == "__main__":
    main()
