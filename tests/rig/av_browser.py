"""How far sound and picture are apart in a page of the server; av_browser.js does the looking and listening."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from rig.flash import offsets_ms

SCRIPT = Path(__file__).with_suffix(".js")


def of_page(
    page: Page, prompt: str, seconds: float, settle_s: float, over_socket: bool
) -> tuple[list[float], dict[str, Any]]:
    """`offsets_ms` of what comes back, less what they are going in, and what the buffers say.

    Args: settle_s: at the beginning, which do not count.
    """
    page.mouse.click(5, 5)  # sound needs a gesture
    told = page.evaluate(SCRIPT.read_text(), {"seconds": seconds, "prompt": prompt, "socket": over_socket})
    sent, got = told["sent"], told["got"]
    went = statistics.median(offsets_ms([at / 1000 for at in sent["flashes"]], [at / 1000 for at in sent["beeps"]]))
    late = [at / 1000 for at in got["flashes"] if at > got["flashes"][0] + 1000 * settle_s]
    return [each - went for each in offsets_ms(late, [at / 1000 for at in got["beeps"]])], told["told"]
