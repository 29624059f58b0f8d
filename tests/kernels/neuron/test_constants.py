"""Every constant has a source and says how sure it is."""

import pytest

from reverie.kernels.neuron import constants


def test_every_constant_has_a_source_and_a_confidence() -> None:
    found = constants.load()
    assert len(found) > 20
    assert all(c.source and c.confidence in constants.CONFIDENCE and c.value > 0 for c in found.values())


def test_a_constant_can_be_changed_by_name_only() -> None:
    assert constants.values(dma__fixed_ns=1.0)["dma.fixed_ns"] == 1.0
    with pytest.raises(ValueError, match=r"no constant dma\.fixed"):
        constants.values(dma__fixed=1.0)
