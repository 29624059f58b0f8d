"""Instances of a program on a GPU: the same bytes as on this processor, on an emulated driver."""

import gc

import numpy as np
import pytest
from rig.backends import emulated_driver
from rig.programs import dice, draft, left

from reverie.kernels.cuda import compiler, pool
from reverie.kernels.cuda.pool import GpuPool
from reverie.kernels.machine import Instance, Loaded
from reverie.models import nano_kernel
from reverie.models.device import Device


@pytest.fixture
def gpu() -> GpuPool:
    return GpuPool(emulated_driver(), b"emulated")


def test_a_streams_frames_are_the_cpus(gpu: GpuPool) -> None:
    """The first frame is its own past; the ring then moves on under names that change places."""
    clip = np.random.default_rng(0).integers(0, 256, (4, 32, 64, 3)).astype(np.uint8)
    cpu, shown = nano_kernel.load(), []
    for model in (cpu, nano_kernel.Nano(cpu.parts, cpu._llm, Device(1, gpu=gpu), 0.0)):
        stream = model.stream()
        stream.start("pencil sketch")
        shown.append([stream.step(clip[n : n + 1])[0] for n in range(len(clip))])
    np.testing.assert_array_equal(*map(np.stack, shown))
    assert np.stack(shown[0]).std() > 10


def test_each_instance_has_its_own_memory_and_gives_it_back(gpu: GpuPool) -> None:
    program, contents = draft(dice(1), 2)
    loaded, before = Loaded(program), gpu.driver._library.emulated_used()
    two = [Instance(loaded, {name: array.copy() for name, array in contents.items()}) for _ in range(2)]
    assert gpu.launch([(two[0], 0), (two[1], 0), (two[0], 0)]) > 0
    for instance, epochs in zip(two, (2, 1), strict=True):
        for buffer, want in zip(program.buffers, left(program, contents, epochs), strict=True):
            np.testing.assert_array_equal(instance[buffer.name][: buffer.bytes], want[: buffer.bytes])
    assert gpu.driver._library.emulated_used() > before
    del two, instance
    gc.collect()
    assert gpu.driver._library.emulated_used() == before


def test_the_kernel_is_compiled_for_the_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr(pool, "Driver", emulated_driver)
    monkeypatch.setattr(compiler, "to_ptx", lambda path: path.write_text("ptx"))
    monkeypatch.setattr(
        compiler,
        "compile_for",
        lambda card, ptx, image: (said.append((card, ptx.read_text())), image.write_bytes(b"x")),
    )
    made = pool.gpu()
    assert said == [("90", "ptx")] and made.image == b"x" and made.workers == 132
