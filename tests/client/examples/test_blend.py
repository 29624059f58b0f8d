from typing import Any


async def test_looks_mix_and_move(node: Any, example: Any, make_clip: Any) -> None:
    told = await example("blend").main(str(make_clip("in.mp4", count=50)), node.url, seconds=0.3)
    assert [line.split(":")[0] for line in told] == ["blend", "after the transition"]
