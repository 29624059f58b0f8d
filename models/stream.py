"""The contract between whoever has frames and whoever turns them into other frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from reverie.models.blend import Blend

Frames = NDArray[np.uint8]  # (T, H, W, 3) RGB
MAX_AREA = 1280 * 720


class StreamModel(Protocol):
    """One live stream of one model: frames in, as many frames out.

    All state lives between one `start` and the next.  How frames are cut into calls of `step`
    does not change a bit of what comes out, and the same seed gives the same bits.
    Height and width are multiples of 16, at most 1280x720 pixels of area; they may change between
    steps, which forgets what was shown before.  Not thread-safe: one owner at a time.
    """

    @property
    def model(self) -> Model:
        """Whose weights it runs on."""

    @property
    def work_saved(self) -> float:
        """Share of the work that was not done because nothing changed, 0 to 1."""

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        """Take on a look and forget what was shown.

        Args:
            look: free words or a name that `Model.picture` gave, or shares of several; "" (after strip) is no look:
                frames come back as they are.
            seed: 0 <= seed < 2**32, fixes the noise of the stream.
            strength: 0 gives the input back bit for bit, 1 is the look alone.
        Raises: ValueError if seed or strength is out of range, or a picture is not known.
        """

    def wear(self, look: Blend) -> None:
        """Another look from the next frame on, without forgetting what was shown: for a frame of a transition.

        The look may have a share of "", the camera: it takes that share of the strength.
        Raises: RuntimeError before the first `start`; ValueError if a picture is not known.
        """

    def step(self, frames: Frames) -> Frames:
        """Return the frames in the look of `start` or `wear`.

        Args:
            frames: (T, H, W, 3) uint8 RGB, any T >= 0.
        Returns: (T, H, W, 3) uint8 RGB.
        Raises: ValueError on a wrong shape or dtype; RuntimeError before the first `start`.
        """

    def save(self) -> bytes:
        """Everything `load` needs to go on identically, in a process with the same weights."""

    def load(self, state: bytes) -> None:
        """Continue a saved stream.  Raises ValueError if `state` is damaged or of another model."""


@runtime_checkable
class Continuous(Protocol):
    """A stream that goes over to another look by `wear` alone: its past is worth keeping."""

    continuous: bool


@runtime_checkable
class Sighted(Protocol):
    """A stream whose encoder can be asked what it saw."""

    def scene(self) -> NDArray[np.float32] | None:
        """Scene tokens (Y / 16, X / 16, D) of the last frame, before any look; None before the first."""


@runtime_checkable
class Elastic(Protocol):
    """A stream that a slow machine can ask for less: its time follows the size of its pictures and what changed."""

    patience: float  # times the model's own limit of change, at which a part of a picture is made again; 1 at first

    def build(self, height: int, width: int) -> None:
        """Make what its first frame of a size needs, so that it takes no longer than the next.  From any thread."""


@runtime_checkable
class Narrator(Protocol):
    """A model whose LLM can say what a scene shows."""

    def narrate(self, words: Sequence[str]) -> Iterator[str]:
        """Pieces of one sentence, to be joined without a separator.  Args: words: measured, of `facts.words`."""


@runtime_checkable
class Finishing(Protocol):
    """A model of which something may be made ready after the first sessions have begun."""

    def finish(self) -> None:
        """Make it; whoever needs it sooner waits for it.  From any thread."""


class Model(Protocol):
    """Loaded weights, shared by any number of streams; its methods may be called from any thread."""

    name: str

    def stream(self) -> StreamModel:
        """A new stream; `start` it before the first `step`."""

    def step_many(self, streams: Sequence[Any], frames: Sequence[Frames]) -> Iterator[tuple[int, Frames | Exception]]:
        """One frame of each of several streams of this model, together where that is quicker.

        Args:
            streams: all different.
            frames: one (H, W, 3) uint8 RGB of each, of any sizes.
        Yields: as they are done, the place of a stream among `streams` and what its `step` would have returned,
            (H, W, 3), or the error it would have raised, which leaves the others as they are.
        """

    def prepare(self, prompt: str) -> None:
        """Compute and keep what `start` and `wear` will need of a prompt, so that they return at once.

        Raises: ValueError if it is the name of a picture that is not known.
        """

    def picture(self, image: NDArray[np.uint8]) -> str:
        """Take in a reference picture and return its name, which may stand in a blend wherever a prompt may.

        The same picture has the same name; the last 1,024 are known.

        Args:
            image: (H, W, 3) uint8 RGB of any size from 16x16 to 64 MP.
        Raises: ValueError on another shape, size or dtype.
        """

    def enhance(self, prompt: str) -> Iterator[str]:
        """Pieces of a richer prompt as the LLM writes them, to be joined without a separator."""

    def counts(self) -> dict[str, int]:
        """Numbers that only grow, for /metrics: names with underscores."""


def check_start(seed: int, strength: float) -> None:
    """Raises: ValueError if one is out of the range of `StreamModel.start`."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be 0 to {2**32 - 1}, got {seed}")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be 0 to 1, got {strength}")


def check(frames: Frames) -> None:
    """Raises ValueError unless `frames` is what the contract says."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(f"frames must be uint8 (T, H, W, 3), got {frames.dtype} {frames.shape}")
    height, width = frames.shape[1:3]
    if height % 16 or width % 16 or not height or not width:
        raise ValueError(f"height and width must be multiples of 16, got {width}x{height}")
    if height * width > MAX_AREA:
        raise ValueError(f"{width}x{height} is more than 1280x720 pixels of area")


def one_by_one(streams: Sequence[StreamModel], frames: Sequence[Frames]) -> Iterator[tuple[int, Frames | Exception]]:
    """`Model.step_many` where nothing is gained by making frames together."""
    for place, (stream, frame) in enumerate(zip(streams, frames, strict=True)):
        try:
            shown: Frames | Exception = stream.step(frame[None])[0]
        except Exception as error:  # of one stream: handed to whoever asked
            shown = error
        yield place, shown
