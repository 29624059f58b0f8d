"""What the service counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

STEP_BUCKETS = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.25, 0.5, 1.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per node, so that tests and nodes of one process do not mix."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        counter = lambda name, text, labels=(): Counter(f"reverie_{name}", text, labels, registry=registry)
        self.sessions = Gauge("reverie_sessions", "sessions now open", registry=registry)
        self.slots = Gauge("reverie_slots", "sessions that may be open at once", registry=registry)
        self.waiting = Gauge("reverie_waiting", "clients that wait for a place at this node", registry=registry)
        self.ready = Gauge("reverie_ready", "1 when the model is warm", registry=registry)
        self.recordings = Gauge("reverie_recordings", "recordings being made", registry=registry)
        self.jobs = counter("jobs", "jobs that ended", ("state",))
        self.refused = counter("refused", "sessions refused", ("code",))
        self.frames_in = counter("frames_in", "camera frames received")
        self.frames_out = counter("frames_out", "frames sent, by what they show", ("shows",))
        self.steps = counter("model_steps", "frames the model made")
        self.painted = Gauge(
            "reverie_render_rung", "how the model paints: 0 is best, 1 less of a picture again, then smaller ones",
            registry=registry,
        )  # fmt: skip
        self.render_moves = counter("render_moves", "times that the model went on at another rung", ("to",))
        self.dropped = counter("dropped", "frames never shown because a newer one came", ("where",))
        self.stalls = counter("stalls", "times that something else was shown than the model's picture", ("state",))
        self.errors = counter("errors", "model steps that failed")
        self.viewers = Gauge("reverie_viewers", "who is shown a session's output now", registry=registry)
        self.rungs = Gauge(
            "reverie_viewers_at", "viewers by codec and quality: 0 is best, resolution falls before frame rate",
            ("codec", "rung"), registry=registry,
        )  # fmt: skip
        self.bitrate = Gauge("reverie_viewer_bitrate", "b/s that the slowest viewer's link takes", registry=registry)
        self.rung = Gauge("reverie_viewer_rung", "quality of the slowest viewer, 0 is best", registry=registry)
        self.keyframes = counter("keyframes", "keyframes encoded")
        self.encode_s = Histogram(
            "reverie_encode_seconds", "time to encode one picture for all viewers of a quality",
            buckets=STEP_BUCKETS, registry=registry,
        )  # fmt: skip
        self.effects = counter("effect_frames", "pictures at users' effects, by what came of it", ("effect", "outcome"))
        self.webhooks = counter("webhooks", "messages to webhooks, by what came of them", ("outcome",))
        self.denied = counter("prompts_denied", "prompts that the deny list refused")
        self.llm_tokens = counter("llm_tokens", "pieces of text the LLM wrote")
        self.step_s = Histogram(
            "reverie_step_seconds", "time of one model step", buckets=STEP_BUCKETS, registry=registry
        )
        self.age_s = Histogram(
            "reverie_frame_age_seconds", "from a camera frame decoded to its styled frame ready",
            buckets=STEP_BUCKETS, registry=registry,
        )  # fmt: skip

    def follow(self, counts: Callable[[], dict[str, int]]) -> None:
        """Show a model's own counts."""
        for name in counts():
            gauge = Gauge(f"reverie_{name}", "counted by the model", registry=self.registry)
            gauge.set_function(lambda name=name: counts()[name])  # type: ignore[misc]

    def text(self) -> bytes:
        return generate_latest(self.registry)
