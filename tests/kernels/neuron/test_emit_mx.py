"""Linear layers in MXFP8: what fits, how weights lie, and that the kernel multiplies what was packed."""

import numpy as np
import pytest
from rig.cases import conv
from rig.neuron import compiled

from reverie.kernels import reference
from reverie.kernels.neuron import emit_mx
from reverie.kernels.neuron.emit import kernel
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import feed
from reverie.kernels.neuron.nkisim import mx, shim
from reverie.kernels.neuron.nkisim.machine import Machine
from reverie.kernels.reference_lanes import unpacked
from reverie.kernels.tasks import Conv


def case(channels: int, outs: int, **changes):
    bench, tasks = conv(5, kernel=1, channels=channels, outs=outs, **changes)
    bench.builder.op("op", tasks)
    program = bench.builder.finish(2)
    buffers = [
        bench.given[b.name].copy() if b.name in bench.given else np.zeros(b.bytes, np.uint8) for b in program.buffers
    ]
    get = lambda ref, kind, n: buffers[ref.buffer][ref.offset : ref.offset + n * np.dtype(kind).itemsize].view(kind)
    return program, buffers, get, tasks[0]


def dequantised(task: Conv, get) -> np.ndarray:
    """The weights that the kernel has, (O, C)."""
    data, scales = emit_mx.weights(task, get)
    parts = []
    for i, size in enumerate(emit_mx.passes(task.channels)):
        columns = slice(i * task.outs, (i + 1) * task.outs)
        rows = mx.values(
            np.ascontiguousarray(data[: size // 4, columns]), scales[: size // 4, columns]
        )  # (4 P, O), p first
        parts.append(rows.reshape(size // 4, 4, task.outs).transpose(1, 0, 2).reshape(size, task.outs))
    return np.concatenate(parts).T


@pytest.mark.parametrize("channels", [128, 384, 640])
def test_weights_are_those_of_the_layer_to_a_sixteenth(channels: int) -> None:
    _, _, get, task = case(channels, 32)
    whole = unpacked(get(task.weight, np.int8, task.outs * task.depth()), task.outs)
    got = dequantised(task, get)
    assert np.abs(got - whole).max() <= 8 and np.abs(got - whole).mean() < 2


@pytest.mark.parametrize(("channels", "residual", "activation"), [(128, False, 0), (640, True, 0), (256, False, 1)])
def test_a_layer_is_near_the_reference(channels: int, residual: bool, activation: int) -> None:
    program, buffers, get, task = case(channels, 64, residual=residual, activation=activation)
    made = kernel([Video(program, 0, get, mx=True).build()])
    assert "q.linear" in made.source
    (shown,), _ = shim.run(compiled(made), feed(made, (program, get)))
    reference.launch(program, 0, buffers)
    off = shown.T.reshape(-1).astype(float) - get(task.y, np.uint8, shown.size)
    spread = get(task.y, np.uint8, shown.size).astype(float).std()
    assert np.sqrt((off**2).mean()) < 0.12 * spread


def test_it_takes_fewer_passes_than_bfloat16() -> None:
    program, _, get, _ = case(640, 64)
    multiplied = []
    for wanted in (True, False):
        made, machine = kernel([Video(program, 0, get, mx=wanted).build()]), Machine(computing=False)
        shim.run(compiled(made), feed(made, (program, get)), machine)
        multiplied.append(sum(e.name.startswith("nc_matmul") for e in machine.events))
    assert multiplied[0] < multiplied[1]


@pytest.mark.parametrize("changes", [{"kernel": 3}, {"channels": 192}, {"beside": 64}, {"shuffle": 1}])
def test_what_does_not_fit_stays_bfloat16(changes: dict) -> None:
    wanted = {"kernel": 1, "channels": 128, "outs": 128} | changes
    task = conv(5, **wanted)[1][0]
    assert isinstance(task, Conv) and not emit_mx.fits(task)
