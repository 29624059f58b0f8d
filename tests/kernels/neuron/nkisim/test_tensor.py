"""Views of the simulator's memory, and how engines store numbers."""

import numpy as np
import pytest

from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import NkiTensor, Violation, cast


@pytest.fixture
def tile():
    with running(Machine()) as machine:
        made = nl.ndarray((32, 4, 6), nl.float32, name="tile")
        made.array[...] = np.arange(32 * 24).reshape(32, 4, 6)
        machine.clock.hazards.clear()
        yield made


def test_an_index_on_chip_keeps_the_dimension(tile: NkiTensor) -> None:
    assert tile[3, 1, 2].shape == (1, 1, 1)
    assert tile[0:2, 1].shape == (2, 1, 6)
    assert tile[:, 0:4:2].array[1, 1, 0] == 24 + 12


@pytest.mark.parametrize("index", [(32,), (0, slice(0, 5)), (0, 0, 0, 0), (slice(3, 3),)])
def test_an_index_outside_is_refused(tile: NkiTensor, index: tuple[object, ...]) -> None:
    with pytest.raises(Violation, match="tile"):
        tile[index]


def test_reshape_keeps_partitions_and_copies_nothing(tile: NkiTensor) -> None:
    assert tile.reshape((32, 24)).array[1, 5] == 29
    with pytest.raises(Violation, match="moves partitions"):
        tile.reshape((64, 12))
    with pytest.raises(Violation, match="no view"):
        tile[:, :, 0:3].reshape((32, 12))


def test_an_access_pattern_walks_as_it_says(tile: NkiTensor) -> None:
    walked = tile.ap([[1, 4], [6, 4], [2, 3]], offset=1)
    np.testing.assert_array_equal(walked.array, tile.array[:4, :, 1::2])
    with pytest.raises(Violation, match="leaves tile"):
        tile.ap([[1, 4], [6, 4], [2, 3]], offset=2)


def test_a_broadcast_repeats_a_dimension_of_one(tile: NkiTensor) -> None:
    np.testing.assert_array_equal(tile[:, 0:1].broadcast(1, 3).array, np.repeat(tile.array[:, :1], 3, 1))
    with pytest.raises(Violation, match="only a dimension of 1"):
        tile.broadcast(1, 3)


def test_a_box_bounds_partitions_and_bytes(tile: NkiTensor) -> None:
    begin = tile.block.begin
    assert tile[8:16, 1:3, 2:4].box()[1:] == (8, 16, begin + 4 * 8, begin + 4 * 16)


def test_whole_numbers_are_rounded_half_to_even_and_saturate() -> None:
    values = np.array([0.5, 1.5, 2.5, -3.7, 300, -300, np.nan, np.inf], np.float32)
    assert cast(values, np.dtype(np.uint8)).tolist() == [0, 2, 2, 0, 255, 0, 0, 255]
    assert cast(values, np.dtype(np.int8)).tolist() == [0, 2, 2, -4, 127, -128, 0, 127]


def test_bfloat16_rounds_to_nearest_even() -> None:
    halfway = np.float32(1 + 2**-8)  # between 1 and 1 + 2^-7
    assert cast(np.array([halfway, 1 + 3 * 2**-8], np.float32), nl.bfloat16).astype(np.float32).tolist() == [
        1,
        1 + 2**-6,
    ]
