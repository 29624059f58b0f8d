"""Known models."""

from pathlib import Path

import pytest

from reverie.models.diffusion import catalogue


def test_the_nearest_is_the_largest_that_fits() -> None:
    assert catalogue.nearest(4.0).name == "sd-turbo"  # type: ignore[union-attr]
    assert catalogue.nearest(4.0, "sd-turbo").name == "lcm-dreamshaper"  # type: ignore[union-attr]
    assert catalogue.nearest(1.0) is None


def test_what_was_not_pulled_is_told_how_to_be_had(tmp_path: Path) -> None:
    for name in ("sd-turbo", "stabilityai/sd-turbo", "owner/owl"):
        with pytest.raises(FileNotFoundError, match=f"`reverie models pull {name}` fetches it"):
            catalogue.located(tmp_path, name)
    assert catalogue.located(tmp_path, "nano") == "nano"
    (tmp_path / "owner--owl").mkdir()
    assert catalogue.located(tmp_path, "owner/owl") == str(tmp_path / "owner--owl")
