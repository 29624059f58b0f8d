"""The video model's program: valid at any size, the reference's bits on every path in every order, and nothing spare."""

from collections.abc import Callable

import numpy as np
import pytest
from rig.programs import U8, buffers, changed, dropped, kinds, lowered, needs, swapped, waits

from reverie.kernels import reference
from reverie.kernels.machine import Instance, Loaded, Order, Pool, memory, paths
from reverie.kernels.program import Program, join
from reverie.kernels.tasks import Ref
from reverie.kernels.validate import Invalid, validate
from reverie.models.config import NANO
from reverie.models.lowering import MEMORY, Lowering
from reverie.models.parts import Parts
from reverie.models.style import style, style_tokens

SIZES = [(64, 96), (48, 80)]  # 24 and 15 tokens
FRAMES = 4


@pytest.fixture(scope="module", params=SIZES, ids=str)
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return request.param


@pytest.fixture(scope="module")
def program(parts: Parts, size: tuple[int, int]) -> Program:
    return Lowering(parts, *size, 2).build()[0]


@pytest.fixture(scope="module")
def contents(parts: Parts, size: tuple[int, int]) -> dict[str, U8]:
    """Constants, a random style and noise."""
    rng = np.random.default_rng(0)
    states = rng.normal(0, 2, (7, NANO.llm_width * len(NANO.llm_layers))).astype(np.float32)
    noise, strength = memory(3 * size[0] * size[1]), memory(64)
    noise[:] = np.clip(rng.normal(128, 28, noise.size), 0, 255)
    strength[:4] = np.array([0.9], np.float32).view(np.uint8)
    vectors = memory(len(found := Lowering(parts, *size, 2).build()[1]))
    vectors[:] = found
    return {"video.weights": parts.constant, "video.vectors": vectors, "style": style(parts, style_tokens(parts, states)), "noise": noise,
            "strength": strength}  # fmt: skip


def play(program: Program, arrays: list[U8], size: tuple[int, int], launch: Callable[[], object]) -> list[U8]:
    """What is shown of some frames; the memory of earlier frames is handed on as a stream does it."""
    slots = [[memory(program.buffers[program.find(f"{m}.{i}")].bytes) for m in MEMORY] for i in range(NANO.blocks)]
    rng, shown = np.random.default_rng(1), []
    turn = lambda n: 3 if n <= 0 else (n - 1) % 3
    for number in range(FRAMES):
        held = (3, turn(number - 2), turn(number - 1), turn(number))
        for i, kept in enumerate(slots):
            for name, k in zip(MEMORY, held, strict=True):
                arrays[program.find(f"{name}.{i}")] = kept[k]
        arrays[program.find("frame")][: 3 * size[0] * size[1]] = rng.integers(0, 256, 3 * size[0] * size[1])
        launch()
        shown.append(arrays[program.find("shown")].copy())
    return shown


@pytest.fixture(scope="module")
def expected(program: Program, contents: dict[str, U8], size: tuple[int, int]) -> list[U8]:
    arrays = buffers(program, contents)
    shown = play(program, arrays, size, lambda: reference.launch(program, 0, arrays))
    assert len({frame.tobytes() for frame in shown}) == FRAMES and shown[0].std() > 10
    return shown


def test_a_random_order_gives_the_same_bits(
    program: Program, contents: dict[str, U8], size: tuple[int, int], expected: list[U8]
) -> None:
    arrays, rng = buffers(program, contents), np.random.default_rng(5)
    shown = play(program, arrays, size, lambda: reference.launch(program, 0, arrays, rng))
    assert all(map(np.array_equal, shown, expected))


@pytest.mark.parametrize("path", paths())
def test_every_path_and_order_gives_the_bits_of_the_reference(
    program: Program, contents: dict[str, U8], size: tuple[int, int], expected: list[U8], path: str
) -> None:
    pool, loaded = Pool(2, path), Loaded(program)
    for order in Order:
        instance = Instance(loaded, contents)

        def launch(instance: Instance = instance, order: Order = order) -> None:
            instance.place()
            pool.launch([(instance, 0)], order)

        for shown, wanted in zip(play(program, instance.arrays, size, launch), expected, strict=True):
            np.testing.assert_array_equal(shown, wanted, err_msg=f"{path} {order.name}")


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_does_not_matter(
    parts: Parts, contents: dict[str, U8], size: tuple[int, int], expected: list[U8], workers: int
) -> None:
    program, vectors = Lowering(parts, *size, workers).build()
    pool, constant = Pool(workers), memory(len(vectors))
    constant[:] = vectors
    instance = Instance(Loaded(program), contents | {"video.vectors": constant})

    def launch() -> None:
        instance.place()
        pool.launch([(instance, 0)])

    assert all(map(np.array_equal, play(program, instance.arrays, size, launch), expected))


@pytest.mark.parametrize("height, width", [(16, 16), (48, 80), (176, 144), (288, 512), (512, 288)])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_programs_of_any_size_are_valid(parts: Parts, height: int, width: int, workers: int) -> None:
    validate(Lowering(parts, height, width, workers).build()[0])


def test_a_frame_costs_what_the_network_costs(parts: Parts) -> None:
    program, _ = Lowering(parts, 288, 512, 2).build()
    assert 8e9 < program.work(0) < 16e9


# --- whatever is broken in it is refused ---


def test_every_threshold_and_every_wait_counts(program: Program) -> None:
    seen = set()
    for number, index in waits(program):
        seen |= kinds(program, number, index)
        with pytest.raises(Invalid, match="producers"):
            validate(lowered(program, number, index))
        with pytest.raises(Invalid, match=r"in no order|nobody wrote"):
            validate(dropped(program, number, index))
    assert {("RAW", "single"), ("RAW", "shared")} <= seen


def test_no_task_may_come_before_what_it_waits_for(program: Program) -> None:
    for queue in program.queues[0]:
        for number in queue:
            for earlier in set(needs(program, program.nodes[number])) & set(queue):
                with pytest.raises(Invalid, match="queues stop"):
                    validate(swapped(program, earlier, number))


def test_no_write_may_leave_its_buffer(program: Program) -> None:
    for number, node in enumerate(program.nodes):
        for name in {"y", "q", "kv"} & set(node.task.__dataclass_fields__):
            if type(node.task).__name__ == "Attention" and name == "q":
                continue  # it reads these
            ref = getattr(node.task, name)
            moved = type(node.task)(**{
                f: Ref(ref.buffer, program.buffers[ref.buffer].bytes) if f == name else getattr(node.task, f)
                for f in node.task.__dataclass_fields__ if f != "opcode"
            })  # fmt: skip
            with pytest.raises(Invalid, match="outside"):
                validate(changed(program, number, task=moved))


def test_two_streams_cannot_be_one_program(program: Program) -> None:
    with pytest.raises(Invalid, match="shared by two models"):
        validate(join([program, program]))
