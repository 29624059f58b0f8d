"""The ring of earlier frames, live and over whole clips."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from reverie.models.layers import KV
from reverie.models.memory import Clip, Ring, frame_in_slot


def marked(frame: int) -> KV:
    """Keys and values that say which frame they are of; (1, 1, 2, 1)."""
    return KV(torch.full((1, 1, 2, 1), float(frame)), torch.full((1, 1, 2, 1), -float(frame)))


@given(frames=st.integers(1, 20), recent=st.integers(1, 5))
def test_a_live_ring_holds_what_a_clip_gathers(frames: int, recent: int) -> None:
    ring, clip = Ring(recent), Clip(frames, recent)
    whole = clip(KV(*(torch.cat([marked(n)[i] for n in range(frames)]) for i in (0, 1))))
    for n in range(frames):
        past = ring(marked(n))
        assert torch.equal(past.k[0], whole.k[n])
        assert torch.equal(past.v[0], whole.v[n])
        ring.advance()


@given(frame=st.integers(1, 50), recent=st.integers(1, 6))
def test_the_ring_holds_the_sink_and_the_latest_frames(frame: int, recent: int) -> None:
    held = sorted(frame_in_slot(frame, slot, recent) for slot in range(1, 1 + recent))
    latest = range(max(frame - recent, 0), frame)
    assert frame_in_slot(frame, 0, recent) == 0
    assert set(latest) <= set(held)
    assert all(n in latest or n == 0 for n in held)


def test_the_last_of_several_denoising_steps_is_remembered() -> None:
    ring = Ring(2)
    for step in (10, 11):
        ring(marked(step))
    ring.advance()
    assert ring(marked(12)).k.unique().tolist() == [11.0]
