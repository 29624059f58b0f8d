"""What does not fit is refused with the figures."""

import pytest

from reverie.models.diffusion import memory


def test_too_little_memory_names_figures_and_the_nearest_model() -> None:
    wanted = memory.need(3_500_000_000, 2, 1024 * 576, 1)
    memory.check("big", wanted, wanted.total)
    with pytest.raises(
        ValueError, match=r"big needs 11\.1 GB \(7\.0 of weights.* 4\.0 GB are free; sd-turbo needs 3\.5"
    ):
        memory.check("big", wanted, 4e9)
    with pytest.raises(ValueError, match="nano needs no GPU"):
        memory.check("big", wanted, 1e9)
