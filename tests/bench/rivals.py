"""The same network through other runtimes: encoder and decoder with the ring's keys as inputs, the style as constants."""

from __future__ import annotations

from collections.abc import Callable

import nncf
import numpy as np
import openvino as ov
import torch
from clips import Clip
from torch import Tensor, nn

from reverie.models import nano
from reverie.models.blend import blend
from reverie.models.layers import KV
from reverie.models.network import Style

KEYS = (1, 3, 3 * 576, 64)  # of a block: three earlier frames at 512x288


class Step(nn.Module):
    """One frame: source, noise and the past of both blocks to the picture and the keys of this frame."""

    def __init__(self, model: nano.Nano, style: Style) -> None:
        super().__init__()
        self.network, self.style = model.network, style

    def forward(self, x: Tensor, noise: Tensor, k0: Tensor, v0: Tensor, k1: Tensor, v1: Tensor) -> tuple[Tensor, ...]:
        kept: list[Tensor] = []

        def recall(k: Tensor, v: Tensor) -> Callable[[KV], KV]:
            def past(now: KV) -> KV:
                kept.extend(now)
                return KV(k, v)

            return past

        return self.network(x, noise, self.style, [recall(k0, v0), recall(k1, v1)]), *kept


def openvino(model: nano.Nano, clip: Clip) -> dict[str, Callable[[], object]]:
    """`bf16` and `int8` (NNCF, calibrated on the clip): each runs one frame, for lowest latency on two threads."""
    style = nano.Nano(model.network, model._llm, 1, torch.float32).style(blend("pencil sketch"))[0]
    step, noise = Step(model, style).eval(), nano.noise(0, 288, 512)
    frames = [torch.from_numpy(f.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for f in clip]
    inputs = [[f, noise] for f in frames]
    with torch.inference_mode():
        past = [torch.zeros(KEYS) for _ in range(4)]
        for each in inputs:  # what the ring holds after each frame
            each += past
            now = [x.repeat(1, 1, 3, 1) for x in step(*each)[1:]]
            past = now
    examples = [tuple(x.numpy() for x in each) for each in inputs[1:]]
    with torch.inference_mode():
        graph = ov.convert_model(step, example_input=tuple(inputs[1]))
    graph.reshape({i: list(x.shape) for i, x in enumerate(examples[0])})
    quantised = nncf.quantize(graph, nncf.Dataset(examples), subset_size=len(examples))
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "bf16"}
    runs: dict[str, Callable[[], object]] = {}
    for name, which in (("bf16", graph), ("int8", quantised)):
        request = ov.Core().compile_model(which, "CPU", settings).create_infer_request()
        runs[name] = lambda request=request: request.infer(list(examples[0]))
    return runs


def through_torch(model: nano.Nano, frame: Clip) -> dict[str, Callable[[], object]]:
    """`eager` and, where it compiles, `compiled`: one frame of a stream in bfloat16."""
    runs: dict[str, Callable[[], object]] = {}
    stream = model.stream()
    stream.start("pencil sketch")
    runs["eager"] = lambda: stream.step(frame[None])
    style, noise = model.style(blend("pencil sketch"))[0], nano.noise(0, 288, 512).to(model.dtype)
    step = Step(model, style)
    step.network = model.frames
    compiled = torch.compile(step, dynamic=False)
    x = (torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1).to(model.dtype)
    past = [torch.zeros(KEYS, dtype=model.dtype) for _ in range(4)]

    def run() -> object:
        with torch.inference_mode():
            return compiled(x.contiguous(memory_format=torch.channels_last), noise, *past)

    try:
        run()
    except Exception as error:  # a compiler that is not there, or trips: eager stands alone
        print(f"torch.compile failed ({type(error).__name__}): eager only")
    else:
        runs["compiled"] = run
    assert isinstance(np.asarray(runs["eager"]()), np.ndarray)
    return runs
