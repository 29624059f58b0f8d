"""Which size each session's stream paints at, as the ladder of the device says."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from reverie.models.stream import Elastic, StreamModel
from reverie.server.ladder import Ladder
from reverie.server.metrics import Metrics
from reverie.server.sizing import render_size

log = logging.getLogger(__name__)
Size = tuple[int, int]  # width and height


class Painted(Protocol):
    """Whose pictures have a size."""

    stream: StreamModel
    size: Size  # at which it was painted last
    camera: Size  # of the picture that this was for


class Rendering:
    """Owner of the ladder while sessions run; on the engine's thread.

    A program of another size is built on a thread of its own, and the stream goes on at its old size until it is there.
    """

    def __init__(self, ladder: Ladder, metrics: Metrics) -> None:
        self.ladder, self._metrics = ladder, metrics
        self._thread = ThreadPoolExecutor(1, "sizes")
        self._built: dict[Size, Future[None]] = {}

    def begin(self, stream: StreamModel, camera: Size, step_s: float) -> None:
        """Choose the first rung by the time of a whole step of the best one, and make ready for a camera."""
        if isinstance(stream, Elastic):
            self.ladder.begin(step_s)
            self._metrics.painted.set(self.ladder.number)
            width, height = render_size(*camera, self.ladder.area)
            stream.build(height, width)

    def size(self, feed: Painted, camera: Size) -> Size:
        """At which to paint a picture of the camera's size."""
        if not isinstance(feed.stream, Elastic):
            return render_size(*camera, self.ladder.largest)
        feed.stream.patience = self.ladder.rung.patience
        size = render_size(*camera, self.ladder.area)
        if size != feed.size and camera == feed.camera and not self._is_built(feed.stream, size):
            return feed.size
        feed.camera = camera
        return size

    def took(self, feeds: Sequence[Painted], turn_s: float) -> None:
        """A turn with pictures of these: the next may be painted better, or must be less well."""
        if not all(isinstance(feed.stream, Elastic) for feed in feeds):
            return
        if any(feed.size != render_size(*feed.camera, self.ladder.area) for feed in feeds):
            return  # still at the rung before
        if self.ladder.took(turn_s, time.monotonic()):
            rung = self.ladder.number
            self._metrics.painted.set(rung)
            self._metrics.render_moves.labels(str(rung)).inc()
            log.info("turns take about %.0f ms: the model goes on at rung %d of its ladder", turn_s * 1000, rung)

    def stop(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _is_built(self, stream: Elastic, size: Size) -> bool:
        if size not in self._built:
            self._built[size] = self._thread.submit(stream.build, size[1], size[0])
        return self._built[size].done()
