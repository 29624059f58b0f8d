"""How long a camera frame takes until its styled self is shown, as a visitor meets it: `reverie bench serve --json`.

How to read it: three visits to one real server on loopback, 512x288 camera at 30 fps, one after the other: Chromium
with the model, Chromium in passthrough (what the media path alone costs), a Python client with the model.
Method and what is not in the numbers: serve_browser.py and serve_sdk.py.
`dropped` are frames the server never showed because a newer one came; `server_cpu` is percent of one core;
`prompt_to_frame_ms` runs from sending a prompt (in passthrough: from pressing "No look") to the first output frame
that visibly differs from those before.  Slope needs minutes: `--seconds 300`.

Exit code 1 if fewer than 95 % of the model's output frames carry a new model step or a prompt changed nothing;
2 if something that the bench needs is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

try:
    import psutil  # noqa: F401
    import serve_browser
    import serve_sdk
    from rig.browser import chromium, launch
    from rig.clip import Unreachable, camera_clip
    from rig.node import serve
    from serve_figures import LOOKS, figures
except ModuleNotFoundError as missing:
    print(f"bench serve needs the package {missing.name}: install the extra reverie[bench]", file=sys.stderr)
    sys.exit(2)

NEW_STEPS = 0.95  # least share of output frames that carry a new model step
SHORT_S = 30.0  # longest window of passthrough and of the Python client


def run(model: str, seconds: float) -> dict[str, Any]:
    """All three visits; the top level is Chromium with the model."""
    short = min(seconds, SHORT_S)
    with serve(model) as node:
        with launch() as browser:
            styled = figures(*serve_browser.measure(browser, node, seconds, passthrough=False))
            passthrough = figures(*serve_browser.measure(browser, node, short, passthrough=True))
        sdk = figures(*serve_sdk.measure(node, short))
    ready = {"ready_s": round(node.ready_s, 2)}
    return {"model": model, **ready, **styled, "passthrough": passthrough, "sdk": sdk}


def table(result: dict[str, Any]) -> str:
    """The same for people."""
    rows = {f"{result['model']}, Chromium": result, "passthrough, Chromium": result["passthrough"]}
    rows[f"{result['model']}, Python"] = result["sdk"]
    lines = [
        f"{'':24}{'g2g p50':>9}{'p95':>8}{'p99':>8}{'fps':>7}{'first':>8}{'prompt p95':>12}{'drop':>6}{'slope':>8}{'cpu %':>7}"
    ]
    for name, row in rows.items():
        ages = row["glass_to_glass_ms"]
        cells = [(ages["p50"], 9), (ages["p95"], 8), (ages["p99"], 8), (row["fps_out"], 7), (row["first_frame_ms"], 8)]
        cells += [(row["prompt_to_frame_ms"]["p95"], 12), (row["dropped"], 6), (row["latency_slope_ms_per_min"], 8)]
        cells += [(row["server_cpu"], 7)]
        lines.append(f"{name:24}" + "".join(f"{'-' if value is None else value:>{width}}" for value, width in cells))
    return "\n".join(lines) + f"\nms; slope in ms/min; ready {result['ready_s']} s after a cold start"


def faults(result: dict[str, Any]) -> list[str]:
    """Why the figures are worth nothing, in sentences; empty if they are sound."""
    found = []
    for name, row in (("Chromium", result), ("Python", result["sdk"])):
        if row["new_step_share"] < NEW_STEPS:
            found.append(f"{name}: only {row['new_step_share']:.1%} of output frames carry a new model step")
    for name, row in (("Chromium", result), ("passthrough", result["passthrough"]), ("Python", result["sdk"])):
        if row["first_frame_ms"] is None:
            found.append(f"{name}: no frame came")
        if row["prompts_without_change"]:
            found.append(f"{name}: {row['prompts_without_change']} prompts changed nothing that can be seen")
        read = row["fps_out"] * row["seconds"] - row["stamps_unread"]
        if read < 0.5 * row["fps_out"] * row["seconds"] or not read:
            found.append(f"{name}: the stamp was read in {read:.0f} frames only, so latency is not known")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="reverie bench serve", description="Latency of `reverie serve` on loopback.")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the main window (default 60)")
    parser.add_argument("--model", default="nano", choices=LOOKS, help="model to serve (default nano)")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    args = parser.parse_args()
    try:
        chromium()
        camera_clip()
    except (FileNotFoundError, Unreachable) as missing:
        print(f"bench serve: {missing}", file=sys.stderr)
        return 2
    result = run(args.model, args.seconds)
    print(table(result))
    wrong = faults(result)
    for sentence in wrong:
        print(f"bench serve: {sentence}", file=sys.stderr)
    if args.json:
        print(json.dumps(result))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
