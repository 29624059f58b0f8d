"""Known models."""

from reverie.models.diffusion import catalogue


def test_the_nearest_is_the_largest_that_fits() -> None:
    assert catalogue.nearest(4.0).name == "sd-turbo"  # type: ignore[union-attr]
    assert catalogue.nearest(1.0) is None
