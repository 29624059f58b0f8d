from typing import Any


def test_an_array_comes_back(node: Any, example: Any) -> None:
    assert example("arrays").main(node.url, "red").shape == (288, 512, 3)
