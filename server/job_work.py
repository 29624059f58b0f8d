"""What a job does: a clip or a picture in another look, at the size that was asked for, behind all live sessions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reverie.models.blend import Blend, blend
from reverie.models.stream import Model, StreamModel
from reverie.server import catalogue, chunks, provenance, references
from reverie.server.engine import Engine
from reverie.server.jobs import CHUNKS, Job, output_name
from reverie.server.pictures import Picture, resize
from reverie.server.sizing import render_size
from reverie.server.upscale import upscale
from reverie.server.video import Reader, sniff
from reverie.server.watermark import mark

BOXES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080)}  # a picture's sides, longer one first
MAX_PIXELS = 4096 * 2304  # of a clip's picture
MAX_SIDE = 2560  # of a picture that keeps its own size
MAX_FPS = 60


def check(folder: Path, model: str, max_s: int) -> str:
    """Of what a job is given: whether it is a video or an image.  Raises ValueError with one sentence."""
    if (folder / "reference").exists():
        references.decode((folder / "reference").read_bytes())
    path = folder / "data"
    try:
        sniff(path)
    except ValueError:
        _check_image(path, model)
        return "image"
    if model in catalogue.IMAGE:
        raise ValueError(f"{model} takes a picture; data is a video")
    reader = Reader(path)
    try:
        _check_clip(reader, max_s)
    finally:
        reader.close()
    return "video"


def _check_image(path: Path, model: str) -> None:
    if model in catalogue.VIDEO | set(catalogue.REALTIME) and model not in catalogue.IMAGE:
        raise ValueError("data is not a video in mp4, mov, mkv, webm or avi")
    try:
        references.decode(path.read_bytes())
    except ValueError as error:
        raise ValueError(str(error).replace("the reference picture", "data").replace("a reference", "a")) from None


def _check_clip(reader: Reader, max_s: int) -> None:
    context = reader.stream.codec_context
    if context.width * context.height > MAX_PIXELS:
        raise ValueError(f"a clip may have {MAX_PIXELS} pixels a frame, this has {context.width}x{context.height}")
    if (seconds := duration_s(reader)) > max_s:
        raise ValueError(f"a clip may last {max_s} s, this lasts {seconds:.0f} s")


def duration_s(reader: Reader) -> float:
    """As its container says; 0 if it does not."""
    return (reader.container.duration or 0) / av.time_base


def fit(width: int, height: int, resolution: str) -> tuple[int, int]:
    """The largest even (width, height) of the same shape in a resolution's box; its own size with no resolution."""
    if not resolution:
        return max(2, width // 2 * 2), max(2, height // 2 * 2)
    longer, shorter = BOXES[resolution]
    wide, high = (longer, shorter) if width >= height else (shorter, longer)
    scale = min(wide / width, high / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


class Painter:
    """Does jobs with the model and the device that live sessions have; a `jobs.Work`."""

    def __init__(
        self, model: Model, engine: Engine, denied: Callable[[str], bool], watermark: str, max_s: int
    ) -> None:  # fmt: skip
        self._model, self._engine, self._denied = model, engine, denied
        self._watermark, self._max_s = watermark, max_s

    def __call__(self, job: Job, folder: Path, tell: Callable[[float], None]) -> None:
        """Goes on after the last chunk that an earlier process finished.

        Raises: ValueError with one sentence, and what `tell` raises; nothing of the output is left then.
        """
        output = folder / output_name(job.kind)
        partial_output = folder / f"partial{output.suffix}"
        try:
            (self._clip if job.kind == "video" else self._image)(job, folder, partial_output, tell)
            partial_output.replace(output)
        finally:
            partial_output.unlink(missing_ok=True)
        if (made := folder / CHUNKS).exists():  # gone at once, or whole: a restart in between joins it again
            shutil.rmtree(made.rename(folder / "over"), ignore_errors=True)

    def _begin(self, job: Job, folder: Path) -> Callable[[Picture, tuple[int, int]], Picture]:
        stream = self._model.stream()
        look = self._look(job, folder / "reference")
        self._engine.when_idle(partial(stream.start, look, job.seed)).result()
        return partial(self._paint, stream)

    def _look(self, job: Job, reference: Path) -> Blend:
        """The words, the picture, or both in equal shares."""
        prompt = job.prompt
        if job.enhance and prompt and not reference.exists():
            prompt = self._enriched(prompt, reference.with_name(CHUNKS) / "words")
        shares = [(prompt, 1.0)] if prompt else []
        if reference.exists():
            shares.append((self._model.picture(references.decode(reference.read_bytes())), 1.0))
        for each, _ in shares:
            self._model.prepare(each)
        return blend(shares)

    def _enriched(self, prompt: str, kept: Path) -> str:
        """The same for all of a job's chunks, whoever paints them.  Args: kept: where what the LLM said is kept."""
        if kept.exists():
            return kept.read_text(encoding="utf-8")
        rich = "".join(self._model.enhance(prompt))
        prompt = rich if rich.strip() and not self._denied(rich) else prompt
        if kept.parent.exists():
            (written := kept.with_suffix(".partial")).write_text(prompt, encoding="utf-8")
            written.replace(kept)
        return prompt

    def _paint(self, stream: StreamModel, picture: Picture, size: tuple[int, int]) -> Picture:
        small = resize(picture, *render_size(*size))
        styled = self._engine.when_idle(partial(stream.step, small[None])).result()[0]
        shown = upscale(styled, resize(picture, *size))
        mark(shown, self._watermark)
        return shown

    def _clip(self, job: Job, folder: Path, output: Path, tell: Callable[[float], None]) -> None:
        source, made = folder / "data", folder / CHUNKS
        plan = self._plan(source)
        total, done, size = sum(chunk.pictures for chunk in plan), 0, (0, 0)
        paint: Callable[[Picture, tuple[int, int]], Picture] | None = None

        def paint_next(picture: Picture) -> Picture:
            nonlocal done, size
            size = size if any(size) else fit(picture.shape[1], picture.shape[0], job.resolution)
            if picture.shape[0] * picture.shape[1] > MAX_PIXELS:
                raise ValueError(f"a picture of a clip may have {MAX_PIXELS} pixels, one of this has more")
            tell(min(0.99, done / total))
            done += 1
            assert paint is not None
            return paint(picture, size)

        made.mkdir(exist_ok=True)
        before = 0
        for chunk in plan:
            done, before = before, before + chunk.pictures
            if chunk.segment(made).exists():
                paint = None  # an earlier process painted it: the next one's stream has not seen it
                continue
            fresh, paint = paint is None, paint or self._begin(job, folder)
            chunks.paint(source, chunk, made, ".mp4", paint_next, fresh)
        chunks.join([chunk.segment(made) for chunk in plan], source, output, ".mp4")
        provenance.mark(output, ".mp4")

    def _plan(self, source: Path) -> tuple[chunks.Chunk, ...]:
        reader = Reader(source)
        try:
            plan = chunks.plan(reader)
        finally:
            reader.close()
        if (pictures := sum(chunk.pictures for chunk in plan)) > self._max_s * MAX_FPS:
            raise ValueError(f"a clip may have {self._max_s * MAX_FPS} frames, this has {pictures}")
        return plan

    def _image(self, job: Job, folder: Path, output: Path, tell: Callable[[float], None]) -> None:
        picture = references.decode((folder / "data").read_bytes(), MAX_SIDE)
        tell(0.1)
        shown = self._begin(job, folder)(picture, fit(picture.shape[1], picture.shape[0], job.resolution))
        about = PngInfo()
        about.add_itxt("XML:com.adobe.xmp", provenance.XMP.decode())
        Image.fromarray(shown).save(output, pnginfo=about, compress_level=3)
