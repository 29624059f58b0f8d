from pathlib import Path
from typing import Any

import av


async def test_a_file_goes_through_and_is_recorded(node: Any, example: Any, make_clip: Any, tmp_path: Path) -> None:
    to = tmp_path / "out.mp4"
    shown = await example("file").main(str(make_clip("in.mp4", count=50)), str(to), "red", node.url)
    with av.open(str(to)) as container:
        assert shown > 10 and sum(1 for _ in container.decode(video=0)) == shown
