"""Decart's own JS SDK against this server, as its user meets it: `reverie bench decart --json`.

How to read it: Chromium with npm @decartai/sdk on a page of another origin, loopback, a 1280x720 fake camera at 30 fps.
`connect_ms` until connect() answers, `first_frame_ms` until the picture on the page is styled, both from the call;
`good_s` until the SDK itself calls the connection good (for that no second of the last five may have less than 20
pictures, so a camera of 20 is not enough); `reconnect_s` from cutting the control socket (TCP reset) until
the look that was set last is on the page again, the page giving the camera anew as client/docs/migrate.md says.
`g2g_ms` is glass to glass as the SDK measures it (`debugQuality`), the median of five seconds; `render_size` is what the
server says that its model paints.  Medians over visits, a line for each as it comes.  The toy model shows what signalling
and media cost; then the default model paints at 512x288, and at true 720p, where it is not in time on every machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[1])]

try:
    from environment import environment, table
    from playwright.sync_api import Browser, Page, sync_playwright
    from rig.browser import FLAGS, chromium, until
    from rig.decart import CAMERA_BACK, CONNECT, GREEN, OLD_CLOCK, RED, installed, served_page
    from rig.node import serve
    from rig.relay import Relay
except ModuleNotFoundError as missing:
    print(f"bench decart needs the package {missing.name}: install the extra reverie[bench]", file=sys.stderr)
    sys.exit(2)

LIMITS = {
    "connect_ms": 1500,
    "first_frame_ms": 2000,
    "good_s": 10.0,
    "g2g_ms": 150.0,
    "reconnect_s": 3.0,
}  # what the project promises
LIMIT_S = 30.0
GOOD_LIMIT_S = 15.0
CAMERA = "--use-fake-device-for-media-stream=fps=30"  # the last such flag counts; without a rate it makes just 20
G2G_S = 5.0  # that it is measured for
TICKS = """() => {
    const Plain = WebSocket;
    window.WebSocket = class extends Plain {
        constructor(...given) {
            super(...given);
            this.addEventListener("message", ({data}) => {
                const told = typeof data === "string" ? JSON.parse(data) : {};
                if (told.type === "generation_started") seen.started = true;
                if (told.type === "generation_tick") seen.tick = told;
            });
        }
    };
}"""
STYLED = "seen.started && a.videoWidth > 0 && a.currentTime > 0"


def visit(browser: Browser, origin: str, relay: Relay, model: str) -> dict[str, Any]:
    """Args: model: what serves; only the toy's looks have a colour that can be waited for."""
    toy = model == "toy"
    page = browser.new_page()
    page.goto(origin)
    page.evaluate(OLD_CLOCK)
    page.evaluate(TICKS)
    began = time.monotonic()
    passed = lambda: time.monotonic() - began
    words = "red" if toy else "pencil drawing"
    look = {"initialState": {"prompt": {"text": words, "enhance": False}}, "debugQuality": True}
    page.evaluate(CONNECT, [relay.url, look, "local"])
    seen: dict[str, Any] = {"connect_ms": round(passed() * 1000)}
    until(page, RED if toy else STYLED, limit_s=LIMIT_S)
    seen["first_frame_ms"] = round(passed() * 1000)
    with suppress(AssertionError):
        until(page, "live.getConnectionQuality()?.quality === 'good'", limit_s=GOOD_LIMIT_S)
    seen["good_s"] = round(passed(), 2)  # beyond the limit: it was not called good until then
    seen["g2g_ms"] = glass_to_glass(page)
    told = page.evaluate("live.getConnectionQuality()")
    seen["quality"], seen["limited_by"] = (told or {}).get("quality"), (told or {}).get("limitingFactor")
    seen["wire_size"] = page.evaluate("`${a.videoWidth}x${a.videoHeight}`")
    seen["render_size"] = page.evaluate("`${seen.tick?.render_width}x${seen.tick?.render_height}`")
    if seen["render_size"] == "0x0":  # the model painted nothing in time: that was the camera's own picture
        seen["g2g_ms"] = None
    if toy:
        seen["reconnect_s"] = cut(page, relay)
    page.evaluate("live.disconnect()")
    page.close()
    return seen


def glass_to_glass(page: Page) -> float | None:
    """None if the SDK measures nothing: no frame came back that it still waits for."""
    told = []
    with suppress(AssertionError):
        until(page, "live.getConnectionQuality()?.metrics.g2gMs > 0", limit_s=GOOD_LIMIT_S)
        for _ in range(int(2 * G2G_S)):
            time.sleep(0.5)
            told.append(page.evaluate("live.getConnectionQuality().metrics.g2gMs"))
    told = [each for each in told if each is not None]
    return round(statistics.median(told)) if told else None


def cut(page: Page, relay: Relay) -> float:
    """Seconds until the look that was set last is back."""
    page.evaluate("live.setPrompt('green', {enhance: false})")
    until(page, GREEN, limit_s=LIMIT_S)
    page.evaluate(CAMERA_BACK)
    page.evaluate("() => { a.srcObject = null; }")
    began = time.monotonic()
    relay.cut("/v1/stream")
    until(page, f"a.srcObject !== null && a.videoWidth > 0 && {GREEN}", limit_s=LIMIT_S)
    return round(time.monotonic() - began, 2)


def visits(browser: Browser, origin: str, model: str, render: str, runs: int) -> list[dict[str, Any]]:
    """One server's."""
    made = []
    os.environ["REVERIE_RENDER"] = render
    with serve(model) as node:
        relay = Relay(int(node.url.rpartition(":")[2]))
        for _ in range(runs):
            made.append({"model": model, **visit(browser, origin, relay, model)})
            print(json.dumps(made[-1]), flush=True)
        relay.close()
    return made


def median(made: list[dict[str, Any]], name: str) -> float | None:
    known = [each[name] for each in made if each[name] is not None]
    return statistics.median(known) if known else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4, help="visits to the toy model; two and one to the other")
    parser.add_argument("--model", default="nano", help="that is measured beside the toy")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    arguments = parser.parse_args()
    flags = [*FLAGS, CAMERA, "--autoplay-policy=no-user-gesture-required"]
    with tempfile.TemporaryDirectory() as folder, served_page(installed(), Path(folder)) as origin:
        os.environ["REVERIE_ORIGINS"] = origin
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=flags)
            toy = visits(browser, origin, "toy", "", arguments.runs)
            small = visits(browser, origin, arguments.model, "512x288", 2)
            large = visits(browser, origin, arguments.model, "1280x720", 1)
            browser.close()
    medians = {name: median(toy, name) for name in LIMITS} | {"g2g_ms": median(small, "g2g_ms")}
    beside = {
        "quality": sorted({str(each["quality"]) for each in toy + small}), "render_size": small[0]["render_size"],
        "wire_size": small[0]["wire_size"], "g2g_ms_toy": median(toy, "g2g_ms"),
        "g2g_ms_720p": median(large, "g2g_ms"), "first_frame_ms_model": median(small, "first_frame_ms"),
    }  # fmt: skip
    print(table([{"figure": name, "median": medians[name], "promised": LIMITS[name]} for name in LIMITS]))
    print(json.dumps({"bench": "decart", "environment": environment(), "runs": len(toy), **medians, **beside}))


if __name__ == "__main__":
    main()
