"""Frames of several image streams through one model, in as few calls of its network as sizes and LoRAs allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from reverie.models.diffusion import memory
from reverie.models.diffusion.ask import Named
from reverie.models.diffusion.flow import grey
from reverie.models.diffusion.image import ImageStream, Shot
from reverie.models.stream import Frames


def step_many(streams: Sequence[ImageStream], frames: Sequence[Frames]) -> Iterator[tuple[int, Frames | Exception]]:
    """`ImageModel.step_many`: in as few calls as sizes allow; a failed call is the error of those who were in it."""
    groups: dict[tuple[tuple[int, ...], Named], list[int]] = {}
    for place, (stream, frame) in enumerate(zip(streams, frames, strict=True)):
        try:
            shown = stream.skips(frame)
        except (ValueError, RuntimeError) as error:
            yield place, error
        else:
            if shown is None:
                groups.setdefault((frame.shape, stream.loras), []).append(place)
            else:
                yield place, shown
    for group in groups.values():
        try:
            made = _make_within_memory([streams[i] for i in group], np.stack([frames[i] for i in group]))
        except RuntimeError as error:
            yield from ((place, error) for place in group)
        else:
            yield from ((place, streams[place].show(picture)) for place, picture in zip(group, made, strict=True))


@torch.inference_mode()
def _make_within_memory(streams: list[ImageStream], frames: Frames) -> Frames:
    """`_make`; out of memory, the model renders at half the sides from then on, until it fits."""
    while True:
        try:
            return _make(streams, frames)
        except (RuntimeError, MemoryError) as error:
            if not memory.ran_out(error):
                raise
        streams[0].model.recover()  # with the failed step's tensors gone


def _make(streams: list[ImageStream], frames: Frames) -> Frames:
    """Frames (T, H, W, 3) of as many streams, all of a size."""
    model = streams[0].model
    height, width = frames.shape[1:3]
    if model.shrunk > 1:
        small = tuple(max(16, side // model.shrunk // 16 * 16) for side in (width, height))
        frames = np.stack([cv2.resize(frame, small, interpolation=cv2.INTER_AREA) for frame in frames])
    model.loras.wear("unet", streams[0].loras)
    shots = shots_of(streams, frames)
    running = {i: stream.work(shot) for i, (stream, shot) in enumerate(zip(streams, shots, strict=True))}
    asked = {i: next(work) for i, work in running.items()}
    clean: dict[int, Tensor] = {}
    while asked:
        answers = model.predict(list(asked.values()))
        for i, answer in zip(list(asked), answers, strict=True):
            try:
                asked[i] = running[i].send(answer)
            except StopIteration as done:
                clean[i] = done.value
                del asked[i]
    made = model.decode(torch.cat([clean[i] for i in range(len(streams))]))
    if made.shape[1:3] != (height, width):
        made = np.stack([cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC) for picture in made])
    return made


def shots_of(streams: Sequence[ImageStream], frames: Frames) -> list[Shot]:
    """Frames (T, H, W, 3) of as many streams, with what each of their looks needs of them."""
    model = streams[0].model
    sources = model.encode(frames)
    shots = []
    for stream, frame, source in zip(streams, frames, sources.split(1), strict=True):
        wish = stream.wish
        assert wish is not None
        seen = grey(frame, *source.shape[2:]) if wish.steady else None
        shots.append(Shot(source, model.controls.maps(frame, wish.controls), seen))
    return shots
