"""Known models."""

from reverie.models.diffusion import catalogue


def test_each_is_found_by_name_and_repository() -> None:
    for known in catalogue.KNOWN:
        assert catalogue.find(known.name) is catalogue.find(known.repository) is known
    assert catalogue.find("nothing") is None


def test_the_nearest_is_the_largest_that_fits() -> None:
    assert catalogue.nearest(4.0).name == "sd-turbo"  # type: ignore[union-attr]
    assert catalogue.nearest(1.0) is None


def test_licences_that_limit_commerce_are_named() -> None:
    turbo, lcm = catalogue.find("sd-turbo"), catalogue.find("lcm-dreamshaper")
    assert turbo and lcm and "commercial" in catalogue.terms(turbo) and not catalogue.terms(lcm)
