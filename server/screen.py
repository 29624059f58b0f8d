"""The way out of a session: pictures in the order of the camera's clock, through the effects, to video and sound."""

from __future__ import annotations

import time
from collections.abc import Callable

import av

from reverie.client.protocol import FrameShown, FromServer
from reverie.server.chain import Chain
from reverie.server.effects import About, Effect
from reverie.server.metrics import Metrics
from reverie.server.nsfw import Filter
from reverie.server.output import Output
from reverie.server.sound import Sound
from reverie.server.timing import Lag, SourceClock, seconds


class Screen:
    """What a session shows.  Lives on the event loop."""

    def __init__(
        self, output: Output, sound: Sound, clock: SourceClock, effects: list[Effect], metrics: Metrics,
        send: Callable[[FromServer], None],
    ) -> None:  # fmt: skip
        """
        Args:
            output, sound: where pictures go, and what is delayed to match them; closed with the screen.
            clock: of the camera.
            effects: of the place after the model.
        """
        self.filter: Filter | None = None  # hides what is unfit for all
        self.tells_frames = False  # whether the client hears of every frame that goes out
        self._output, self._sound, self._clock, self._metrics, self._send = output, sound, clock, metrics, send
        self._lag = Lag()  # of the picture behind the camera
        self._effects = Chain(effects, metrics, self._out)
        self._shown_pts: int | None = None
        self._closed = False

    @property
    def hidden(self) -> str:
        """Why the picture is hidden, "" if it is not."""
        return self.filter.reason if self.filter is not None else ""

    def another_camera(self) -> None:
        """With another clock."""
        self._shown_pts = None

    def lag_s(self, frame: av.VideoFrame) -> float:
        """How far a frame lies behind what was shown, in seconds of the camera's clock."""
        if self._shown_pts is None or frame.pts is None or frame.time_base is None:
            return 0.0
        return float((self._shown_pts - frame.pts) * frame.time_base)

    def show(self, frame: av.VideoFrame, step: int, about: About, camera: av.VideoFrame | None) -> bool:
        """Whether it is shown.  Never back in time: what is older than what was shown is dropped.

        Args:
            step: of the model, 0 for a picture of the camera.
            camera: the newest picture of the camera, for effects.
        """
        if self._shown_pts is not None and frame.pts is not None and frame.pts <= self._shown_pts:
            self._metrics.dropped.labels("late").inc()
            return False
        self._shown_pts = frame.pts
        self._effects.put(frame, about, camera, step)
        return True

    def close(self) -> None:
        self._closed = True
        self._effects.close()
        self._output.close()
        self._sound.close()

    def _out(self, frame: av.VideoFrame, step: int) -> None:
        if self._closed:
            return
        self._lag.shown(time.monotonic() - self._clock.time(seconds(frame)))
        self._sound.delay_s = self._lag.seconds
        self._output.show(frame if self.filter is None else self.filter.pass_on(frame))
        self._metrics.frames_out.labels("styled" if step else "camera").inc()
        if self.tells_frames and frame.pts is not None:
            self._send(FrameShown(frame.pts & 0xFFFFFFFF, step))
