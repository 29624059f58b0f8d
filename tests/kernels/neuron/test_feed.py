"""Pictures as the kernel has them, and back; what a pair of cores gets."""

import numpy as np
import pytest
from rig.cases import CASES
from rig.neuron import Filled, compiled

from reverie.kernels.neuron.emit import kernel
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import LEVEL, cells, feed, frame, paired
from reverie.kernels.neuron.nkisim import shim


def test_a_cell_is_a_column_of_corners_and_colours() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    made = cells(picture)
    assert made.shape == (16, 12) and (made[12:] == LEVEL).all()
    np.testing.assert_array_equal(made[:12, 5], picture[2:4, 2:4].reshape(12))
    np.testing.assert_array_equal(frame(made[:12], 6, 8), picture)


@pytest.fixture(scope="module")
def pair():
    """A layer of the same weights on the maps of two streams, with another look each: for a pair of cores, and alone."""
    alone, plans = [], []
    for stream in range(2):
        bench, tasks = CASES["conv 3x3"](1)
        bench.builder.op("op", tasks)
        program = bench.builder.finish(2)
        made = Filled(program, [bench.given[buffer.name] for buffer in program.buffers if buffer.name in bench.given])
        if stream:
            for ref in (tasks[0].x, tasks[0].shift):
                made.buffers[ref.buffer][:] = np.roll(made.buffers[ref.buffer], 8)
        plans.append([Video(program, 0, made.get).build()])
        one = kernel(plans[-1])
        alone.append((feed(one, (program, made.get)), one))
    both = kernel(plans[0], cores=2)
    return both, alone


def test_two_streams_on_a_pair_of_cores_are_each_as_alone(pair) -> None:
    both, alone = pair
    outputs, machines = shim.run_pair(compiled(both), paired(both, alone[0][0], alone[1][0]))
    assert [machine.core for machine in machines] == [0, 1]
    for core, (given, one) in enumerate(alone):
        wanted, _ = shim.run(compiled(one), given)
        for name, made, want in zip(both.outputs, outputs, wanted, strict=True):
            np.testing.assert_array_equal(made[core], want, err_msg=name)
    assert (outputs[0][0] != outputs[0][1]).any()


def test_what_a_pair_of_cores_shares_must_be_the_same(pair) -> None:
    both, alone = pair
    one, other = alone[0][0], dict(alone[1][0])
    assert "video_vectors" in both.each and "video_weights" not in both.each
    other["video_weights"] = other["video_weights"] + 1
    with pytest.raises(ValueError, match="share video_weights, and it differs"):
        paired(both, one, other)
