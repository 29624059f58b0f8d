"""Frames first, the LLM's tokens inside their launches, and a pool that hangs is replaced."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from rig.programs import U8, changed, dice, draft, left

from reverie.kernels.machine import Instance, Loaded
from reverie.kernels.program import Program, join
from reverie.models import device
from reverie.models.device import Device


@pytest.fixture(scope="module")
def models() -> tuple[Program, Program, dict[str, U8]]:
    """A frame's program and a token's, and what both are given."""
    (frame, first), (token, second) = draft(dice(1), 2, "frame"), draft(dice(2), 2, "token")
    return frame, token, first | second


def same(instance: Instance, program: Program, contents: dict[str, U8], epochs: int) -> None:
    for buffer, array in zip(program.buffers, left(program, contents, epochs), strict=True):
        np.testing.assert_array_equal(instance[buffer.name], array, err_msg=buffer.name)


def test_frames_of_several_sessions_go_in_one_launch(models: tuple[Program, Program, dict[str, U8]]) -> None:
    frame, token, contents = models
    loaded, made = Loaded(join([frame, token])), Device(2)
    sessions = [Instance(loaded, contents) for _ in range(3)]
    for _ in range(2):
        made.frame(sessions)
    for session in sessions:
        same(session, frame, contents, 2)
        same(session, token, contents, 0)
    assert made.tokens == {"frames": 0, "nothing": 0}


def test_a_token_runs_alone_where_no_frames_come(models: tuple[Program, Program, dict[str, U8]]) -> None:
    _, token, contents = models
    made, alone = Device(2), Instance(Loaded(token), contents)
    for _ in range(3):
        made.token(alone, 1)
    same(alone, token, contents, 3)
    assert made.tokens == {"frames": 0, "nothing": 3}


def test_tokens_go_with_the_frames_that_come(models: tuple[Program, Program, dict[str, U8]]) -> None:
    """The two programs of a token share their buffers, as the LLM's do: not one epoch is lost or made twice."""
    frame, token, contents = models
    made, alone = Device(2), Instance(Loaded(token), contents)
    shared = {b.name: alone[b.name] for b in token.buffers} | {
        n: a for n, a in contents.items() if n.startswith("frame")
    }
    session, stop, frames = Instance(Loaded(join([frame, token])), shared), threading.Event(), 0
    made.frame([session])

    def play() -> None:
        nonlocal frames
        while not stop.is_set():
            made.frame([session])
            frames += 1

    thread = threading.Thread(target=play)
    thread.start()
    for _ in range(10):
        made.token(alone, 1)
    stop.set()
    thread.join()
    same(alone, token, contents, 10)
    same(session, frame, contents, frames + 1)
    assert made.tokens["frames"] >= 8 and sum(made.tokens.values()) == 10


def test_what_fails_with_a_frame_fails_for_its_token_too(
    models: tuple[Program, Program, dict[str, U8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, token, contents = models
    monkeypatch.setattr(device, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(device, "PATIENCE_S", 5.0)
    both = join([frame, token])
    stuck = Instance(Loaded(changed(both, 0, waits=((0, 1000),)), checked=True), contents)
    made, errors = Device(2), []

    def ask() -> None:
        try:
            made.token(stuck, 1)
        except RuntimeError as error:
            errors.append(str(error))

    with pytest.raises(RuntimeError, match="did not end"):
        made.frame([stuck])
    thread = threading.Thread(target=ask)
    thread.start()
    while made._waiting is None:
        pass
    with pytest.raises(RuntimeError, match="did not end"):
        made.frame([stuck])
    thread.join()
    assert len(errors) == 1 and errors[0].startswith("with the frame: the launch did not end")


def test_a_pool_that_hangs_is_replaced(
    models: tuple[Program, Program, dict[str, U8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, _, contents = models
    made = Device(2)
    number = next(n for n, node in enumerate(frame.nodes) if type(node.task).__name__ == "Modulate")
    nothing = replace(frame.nodes[number].task, width=0, begin=0, end=(1 << 31) - 1)  # touches nothing, for seconds
    hangs = Instance(Loaded(changed(frame, number, task=nothing), checked=True), contents)
    monkeypatch.setattr(device, "TIMEOUT_S", 0.3)  # long enough to have begun
    with pytest.raises(RuntimeError, match="did not end"):
        made.frame([hangs])
    broken = made.pool
    monkeypatch.setattr(device, "TIMEOUT_S", 10.0)
    session = Instance(Loaded(frame), contents)
    made.frame([session])
    same(session, frame, contents, 1)
    assert broken.broken and made.pool is not broken
