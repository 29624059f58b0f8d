"""How fluent a visit is over links of bounded rate: `reverie bench link --json`; root, network namespaces and tc.

Both ways together have `kbits`; the visit begins with twice as much and more.  A row is the visit from its sixth second
on: frames a second, latency from the camera to the frame in the SDK, share of packets that the link dropped; then
`free_*`, the same visit without the bound.  The toy model, so that the link decides.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from environment import environment, table

VISIT = Path(__file__).parents[1] / "rig" / "shaped_visit.py"
KBITS, SECONDS, FREE_SECONDS, SETTLED = (2400, 1200, 600), 25, 5, 5


def measure(kbits: int) -> dict[str, float]:
    command = ["unshare", "-n", sys.executable, str(VISIT), str(kbits), str(SECONDS), str(FREE_SECONDS)]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    settled, free = rows[SETTLED:SECONDS], rows[SECONDS:]
    return {
        "kbits": kbits,
        "fps": statistics.median(row["fps"] for row in settled),
        "fps_least": min(row["fps"] for row in settled),
        "ms": round(statistics.median(row["ms"] for row in settled), 1),
        "ms_worst_second": round(max(row["ms"] for row in settled), 1),
        "dropped": round(statistics.fmean(row["dropped"] for row in settled), 4),
        "viewer_kbps": statistics.median(row["kbps"] for row in settled),
        "free_fps": statistics.median(row["fps"] for row in free),
        "free_ms": round(statistics.median(row["ms"] for row in free), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    rows = [measure(kbits) for kbits in KBITS]
    print(table(rows))
    print(json.dumps({"bench": "link", "environment": environment(), "rows": rows}))


if __name__ == "__main__":
    main()
