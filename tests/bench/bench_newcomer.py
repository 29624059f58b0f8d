"""A newcomer's way, timed: clone, `make serve`, a styled frame.  `reverie bench newcomer --json`.

How to read it: each row is a step with its minutes and the megabytes that it fetched or put on the disk.  The clone is of this
checkout; packages come from where pip is told to find them, all anew, and are counted by pip's log (npm's networks for masks,
3 MB, are not in it).  The frame is asked for with the SDK of the fresh clone, from a moving test picture.

Exit code 1 if no styled frame came.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from environment import environment, table

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 3600.0
UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
FRAME = """
import numpy, sys
from reverie.client.sync import connect
pictures = [numpy.roll(numpy.random.default_rng(0).integers(0, 256, (288, 512, 3), numpy.uint8), n, 1) for n in range(900)]
with connect(sys.argv[1], pictures, "watercolour", timeout_s=120) as session:
    for frame in session:
        if frame.step:
            print(frame.image.shape)
            break
"""


def megabytes(folder: Path) -> int:
    return round(sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 1e6)


def fetched(log: str) -> int:
    """Megabytes of packages that pip took over a network, as it rounds them, or from a folder."""
    sizes = [float(size) * UNITS[unit] for size, unit in re.findall(r" Downloading \S+ \(([\d.]+) (\w+)\)", log)]
    sizes += [Path(path).stat().st_size for path in re.findall(r" Processing (/\S+\.(?:whl|gz))", log)]
    return round(sum(sizes) / 1e6)


def run(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    clone, pip = folder / "reverie", folder / "pip.log"
    began = time.monotonic()

    def step(name: str, fetched: int, kept: int) -> None:
        nonlocal began
        now = time.monotonic()
        rows.append({"step": name, "minutes": round((now - began) / 60, 2), "fetched_mb": fetched, "on_disk_mb": kept})
        print(rows[-1], file=sys.stderr)
        began = time.monotonic()

    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    step("git clone", megabytes(clone / ".git"), megabytes(clone))
    hidden = ("REVERIE_", "PYTHONPATH", "VIRTUAL_ENV", "PIP_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {
        "PIP_NO_CACHE_DIR": "1",
        "PIP_LOG": str(pip),
        "REVERIE_PORT": "0",
        "REVERIE_DATA": str(folder / "data"),
    }
    with (folder / "log").open("w") as log:
        serving = subprocess.Popen(
            ["make", "serve"], cwd=clone, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        url = _url(serving, folder / "log")
        step("make serve, until it serves", fetched(pip.read_text()), megabytes(clone / ".venv"))
        python = clone / ".venv" / "bin" / "python"
        shown = subprocess.run([str(python), "-c", FRAME, url], capture_output=True, text=True, timeout=300)
        if shown.returncode or "(288, 512, 3)" not in shown.stdout:
            raise RuntimeError(f"no styled frame: {shown.stdout[-500:]} {shown.stderr[-1000:]}")
        step("first styled frame, with loading the model", 0, 0)
    finally:
        os.killpg(serving.pid, signal.SIGINT)
        serving.wait(60)
    whole = {name: sum(row[name] for row in rows) for name in ("minutes", "fetched_mb", "on_disk_mb")}
    return [*rows, {"step": "all of it", **whole, "minutes": round(whole["minutes"], 2)}]


def _url(serving: subprocess.Popen[bytes], log: Path) -> str:
    ends = time.monotonic() + LIMIT_S
    while not (found := re.search(r"Reverie is at (http://\S+)", log.read_text())):
        if serving.poll() is not None or time.monotonic() > ends:
            raise RuntimeError(f"`make serve` did not come to serve: {log.read_text()[-2000:]}")
        time.sleep(0.2)
    return found[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows = run(Path(folder))
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"bench newcomer: {error}", file=sys.stderr)
            return 1
    if not args.json:
        print(table(rows))
    print(json.dumps({"bench": "newcomer", "environment": environment(), "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
