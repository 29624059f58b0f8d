"""Programs on a GPU: on an emulated driver everywhere, and with `pytest -m gpu` on a real one where nvcc is."""

from collections.abc import Iterator
from dataclasses import replace

import engine_cuda
import numpy as np
import pytest
from rig.backends import emulated_driver
from rig.cases import CASES
from rig.neuron import llm, video
from rig.programs import buffers, dice, draft, left
from rig.tolerance import relative_error

from reverie.kernels import reference
from reverie.kernels.cuda import compiler
from reverie.kernels.cuda.driver import Driver
from reverie.kernels.cuda.launcher import Launcher, aligned, merged, scratch
from reverie.kernels.machine import memory
from reverie.kernels.program import Program, join
from reverie.kernels.tasks import Conv, Recollect

EPOCHS = 3
Gpu = tuple[Driver, bytes]


@pytest.fixture(scope="module", params=["emulated", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpu]:
    """A driver, and the kernel that it launches."""
    if request.param == "emulated":
        yield emulated_driver(), b"emulated"
        return
    try:
        driver = Driver()
    except RuntimeError as error:
        pytest.skip(str(error))
    if compiler.nvcc() is None:
        pytest.skip("nvcc is not on the PATH")
    path = tmp_path_factory.mktemp("gpu") / "kernel.ptx"
    compiler.to_ptx(path)
    yield driver, path.read_bytes()


def given(program: Program, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {buffer.name: array for buffer, array in zip(program.buffers, arrays, strict=True)}


@pytest.mark.parametrize("seed", range(4))
def test_epochs_follow_each_other_without_a_reset(gpu: Gpu, seed: int) -> None:
    (one, first), (two, second) = draft(dice(seed), 3), draft(dice(seed + 9), 3, "other")
    program, contents = join([one, two]), first | second
    launcher = Launcher(program, contents, gpu[1], gpu[0])
    for _ in range(EPOCHS):
        launcher.launch([0, 1])
    for buffer, want in zip(program.buffers, left(program, contents, EPOCHS), strict=True):
        np.testing.assert_array_equal(launcher[buffer.name], want[: buffer.bytes], err_msg=buffer.name)
    launcher.close()


def test_models_advance_at_their_own_rates(gpu: Gpu) -> None:
    (one, first), (two, second) = draft(dice(1), 2, "one"), draft(dice(2), 2, "two")
    launcher = Launcher(join([one, two]), first | second, gpu[1], gpu[0])
    for n in range(6):
        launcher.launch([0, 1] if n % 3 == 0 else [0])
    for program, contents, epochs in ((one, first, 6), (two, second, 2)):
        for buffer, want in zip(program.buffers, left(program, contents, epochs), strict=True):
            np.testing.assert_array_equal(launcher[buffer.name], want[: buffer.bytes])
    launcher.close()


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_a_task_gives_the_bits_of_the_reference(gpu: Gpu, name: str) -> None:
    """Emulated, test_reference.py runs them."""
    bench, tasks = CASES[name](3)
    bench.builder.op("op", tasks)
    program = bench.builder.finish(2)
    after = [bench.given[b.name].copy() if b.name in bench.given else memory(b.bytes) for b in program.buffers]
    launcher = Launcher(program, given(program, after), gpu[1], gpu[0])
    launcher.launch([0])
    reference.launch(program, 0, after)
    made = (node.task for node in program.nodes)
    prompt = {t.y.buffer for t in made if isinstance(t, Recollect) and t.count > 1}  # products of bfloat16 on a GPU
    for number, (buffer, want) in enumerate(zip(program.buffers, after, strict=True)):
        got = launcher[buffer.name]
        if number in prompt:
            assert relative_error(got.view(np.float32), want[: buffer.bytes].view(np.float32)) < 2**-16
        else:
            np.testing.assert_array_equal(got, want[: buffer.bytes], err_msg=buffer.name)
    launcher.close()


def test_a_launch_that_waits_for_ever_is_given_up_and_the_next_begins_anew(gpu: Gpu) -> None:
    program, contents = draft(dice(1), 2)
    launcher = Launcher(program, contents, gpu[1], gpu[0])
    launcher.driver.write(launcher._epochs_at, np.zeros(1, np.uint32))
    launcher._epochs[0] = 7  # as if seven epochs had been counted that never ran
    with pytest.raises(RuntimeError, match="given up"):
        launcher.launch([0])
    for buffer, array in zip(program.buffers, buffers(program, contents), strict=True):
        launcher[buffer.name] = array[: buffer.bytes]
    launcher.launch([0])
    for buffer, want in zip(program.buffers, left(program, contents, 1), strict=True):
        np.testing.assert_array_equal(launcher[buffer.name], want[: buffer.bytes])
    launcher.close()


def test_what_does_not_fit_is_refused_with_the_numbers(gpu: Gpu) -> None:
    program, contents = draft(dice(1), 2)
    with pytest.raises(ValueError, match=r"constant m\.gain is missing"):
        Launcher(program, {}, gpu[1], gpu[0])
    with pytest.raises(ValueError, match=r"m\.gain has 64 bytes, 512 are needed"):
        Launcher(program, contents | {"m.gain": memory(64)}, gpu[1], gpu[0])
    most = gpu[0].card.multiprocessors * 8 + 1
    wide, contents = draft(dice(1), most)
    with pytest.raises(ValueError, match=f"the program has {most} queues, .* runs \\d+ blocks at once"):
        Launcher(wide, contents, gpu[1], gpu[0])


def test_arrays_that_are_one_are_one_on_the_gpu(gpu: Gpu) -> None:
    frame = video(32, 64)
    launcher = Launcher(frame.program, given(frame.program, frame.buffers), gpu[1], gpu[0])
    assert launcher.places[frame.program.find("sink.0")] == launcher.places[frame.program.find("now.0")]
    launcher.launch([0])
    assert (launcher["sink.0"] == launcher["now.0"]).all() and launcher["now.0"].any()
    launcher.close()


def test_a_frame_of_a_stream_is_the_cpus(gpu: Gpu) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3)).astype(np.uint8)
    launcher, shown = engine_cuda.ours(gpu[0], gpu[1], clip)
    for _ in range(2):
        launcher.launch([0])
        np.testing.assert_array_equal(launcher["shown"][: shown.size], shown.reshape(-1))
    launcher.close()


def test_all_memory_is_given_back() -> None:
    driver = emulated_driver()
    before = driver._library.emulated_used()
    program, contents = draft(dice(1), 2)
    launcher = Launcher(program, contents, b"emulated", driver)
    assert driver._library.emulated_used() > before
    launcher.close()
    assert driver._library.emulated_used() == before


def test_blocks_keep_one_order_of_two_models() -> None:
    one, two = draft(dice(1), 2, "one")[0], draft(dice(2), 2, "two")[0]
    program = join([one, two])
    queue, starts = merged(program, (0, 1))
    assert sorted(queue) == list(range(len(program.nodes))) and starts[-1] == len(queue)
    place = {int(n): i for block in range(2) for i, n in enumerate(queue[starts[block] : starts[block + 1]])}
    for model in program.queues:
        for block in model:
            assert [place[n] for n in block] == sorted(place[n] for n in block)
    assert list(merged(program, (1,))[0]) == [n for block in program.queues[1] for n in block]


def test_scratch_is_what_the_widest_task_needs() -> None:
    tokens = llm().program
    assert scratch(tokens) >= 4 * (64 + 256) and scratch(video(32, 64).program) % 256 == 0
    assert scratch(video(128, 256).program) > scratch(video(32, 64).program)


def test_an_operand_that_cannot_be_copied_is_refused() -> None:
    program = video(32, 64).program
    aligned(program)
    number, node = next((n, each) for n, each in enumerate(program.nodes) if isinstance(each.task, Conv))
    moved = replace(node, task=replace(node.task, weight=node.task.weight + 8))
    nodes = tuple(moved if n == number else each for n, each in enumerate(program.nodes))
    with pytest.raises(ValueError, match=r"weight begins at byte \d+, and the GPU copies multiples of 16"):
        aligned(replace(program, nodes=nodes))
