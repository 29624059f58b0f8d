"""Frames of several image streams through one model, in as few calls of its network as sizes and LoRAs allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

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
            made = _made([streams[i] for i in group], np.stack([frames[i] for i in group]))
        except RuntimeError as error:
            yield from ((place, error) for place in group)
        else:
            yield from ((place, streams[place].show(picture)) for place, picture in zip(group, made, strict=True))


@torch.inference_mode()
def _made(streams: list[ImageStream], frames: Frames) -> Frames:
    """`_make`, as small as memory allows."""

    def forget() -> None:
        for stream in streams:
            stream.forget()

    return streams[0].model.smaller.paint(frames, lambda small: _make(streams, small), forget)


def _make(streams: list[ImageStream], frames: Frames) -> Frames:
    """Frames (T, H, W, 3) of as many streams, all of a size."""
    model = streams[0].model
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
    return model.decode(torch.cat([clean[i] for i in range(len(streams))]))


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
