"""`nano` on our kernels: one int8 program per picture size, the LLM's next token inside it.  No torch."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from reverie.kernels.cuda.pool import GpuPool
from reverie.kernels.machine import Instance, Loaded, memory
from reverie.kernels.program import join
from reverie.kernels.tasks import Conv
from reverie.kernels.validate import validate
from reverie.models import checkpoint, nearest, picture, weights
from reverie.models.blend import Blend, blend
from reverie.models.changes import Changes
from reverie.models.config import NANO
from reverie.models.device import Device
from reverie.models.llm_kernel import KernelLLM
from reverie.models.lowering import MEMORY, Lowering, kv_bytes
from reverie.models.nearest import Landing
from reverie.models.note import narrate
from reverie.models.parts import NOISE, Parts
from reverie.models.picture import PREFIX, Picture, Pictures
from reverie.models.prompt import normal, prompt_tokens
from reverie.models.quantise import F32
from reverie.models.steady import Steady
from reverie.models.stream import Frames, check, check_start
from reverie.models.style import blended, style, style_tokens

PROMPTS_KEPT, SIZES_KEPT = 256, 32
Bytes = NDArray[np.uint8]


def load(
    llm: str | None = None, path: Path = weights.SHIPPED, workers: int = 2, cpu: str = "", skip: float = 0.0,
    steady: bool = False, gpu: GpuPool | None = None,
) -> Nano:  # fmt: skip
    """The shipped weights with SmolLM2 beside them.

    Args:
        llm: where SmolLM2 comes from: None is the package; else a .gguf file, a folder, or a hub id.
        cpu: one of reverie.kernels.machine.paths(), "" for the quickest.
        skip: cells of the picture that differ less than this (levels of 255) are not made again; 0 is exact.
        gpu: what makes frames in the place of this processor, which keeps the LLM; skip must be 0 then.
        steady: draw pictures towards those shown before where the source rests (see steady.py).
    Raises: FileNotFoundError if weights are missing; ValueError if they are damaged or the path cannot run here.
    """
    weights.describe(path)  # a clear error if there is nothing
    ranges = json.loads(path.with_suffix(".ranges.json").read_text())
    device = Device(workers, cpu)
    language = KernelLLM(llm, device, NANO.llm_layers)
    if gpu is not None:
        device = Device(workers, gpu=gpu)
    if language.shape.width != NANO.llm_width:
        raise ValueError(
            f"nano reads an LLM of width {NANO.llm_width} (SmolLM2-135M); {llm} has {language.shape.width}"
        )
    return Nano(Parts(NANO, checkpoint.floats(path), ranges), language, device, skip, nearest.beside(path), steady)


class Nano:
    """Weights, LLM and workers, shared by all streams."""

    name = "nano"

    def __init__(
        self, parts: Parts, language: KernelLLM, device: Device, skip: float, landing: Landing | None = None,
        steady: bool = False,
    ) -> None:  # fmt: skip
        self.steady = steady
        self.parts, self.device, self.skip, self._llm, self._landing = parts, device, skip, language, landing
        self.pictures = Pictures((NANO.style_tokens, NANO.cond))
        self._tokens: OrderedDict[str, F32] = OrderedDict()
        self._programs: OrderedDict[tuple[int, int], tuple[Loaded, Bytes]] = OrderedDict()
        self._lock, self._building = threading.Lock(), threading.Lock()

    def stream(self) -> NanoStream:
        return NanoStream(self)

    def step_many(
        self, streams: Sequence[NanoStream], frames: Sequence[Frames]
    ) -> Iterator[tuple[int, Frames | Exception]]:
        """What has to be made goes into one launch."""
        left: list[int] = []
        for place, (stream, frame) in enumerate(zip(streams, frames, strict=True)):
            try:
                shown = stream.ready(frame)
            except (ValueError, RuntimeError) as error:
                yield place, error
            else:
                if shown is None:
                    left.append(place)
                else:
                    yield place, shown
        if not left:
            return
        try:
            self.device.frame([streams[place].instance for place in left])
        except RuntimeError as error:
            yield from ((place, error) for place in left)
        else:
            yield from ((place, streams[place].made()) for place in left)

    def prepare(self, prompt: str) -> None:
        if prompt.strip():
            self.tokens(prompt)

    def finish(self) -> None:
        self._llm.finish()

    def picture(self, image: Picture) -> str:
        return self.pictures.take(image)

    def enhance(self, prompt: str) -> Iterator[str]:
        return self._llm.enhance(prompt)

    def narrate(self, words: Sequence[str]) -> Iterator[str]:
        return narrate(words, self._llm.generate)

    def counts(self) -> dict[str, int]:
        return {f"llm_tokens_with_{place}": count for place, count in self.device.tokens.items()}

    def tokens(self, prompt: str) -> F32:
        """Style tokens of a prompt, or of a picture by its name; those of the last prompts are kept."""
        key = normal(prompt)
        if key.startswith(PREFIX):
            return self.pictures[key]
        with self._lock:
            if key not in self._tokens:
                said = self._landing.words(key) if self._landing else key
                states = self._llm.states(prompt_tokens(self._llm.tokenize, said))
                self._tokens[key] = style_tokens(self.parts, states)
                if len(self._tokens) > PROMPTS_KEPT:
                    self._tokens.popitem(last=False)
            self._tokens.move_to_end(key)
            return self._tokens[key]

    def landed(self, prompt: str) -> F32 | None:
        """Style tokens to wear for a prompt; None where it asks for nothing."""
        tokens = self.tokens(prompt)
        if self._landing is None or prompt.startswith(PREFIX):
            return tokens
        return self._landing(tokens, normal(prompt), len(self._llm.tokenize(" " + normal(prompt))))

    def style(self, look: Blend) -> Bytes:
        """The style slot of a look whose prompts all ask for something, about 1 ms when they are known."""
        tokens = [self.landed(prompt) for prompt, _ in look]
        return style(self.parts, blended([each for each in tokens if each is not None], [share for _, share in look]))

    def built(self, height: int, width: int) -> tuple[Loaded, Bytes]:
        """The program of a picture size with its constant vectors; 0.1 s when it is not known."""
        if (known := self._programs.get((height, width))) is not None:
            return known
        with self._building:
            if (height, width) not in self._programs:
                video, vectors = Lowering(self.parts, height, width, self.device.pool.workers).build()
                validate(video)  # the LLM's was validated when it was loaded
                constant = memory(vectors.nbytes)
                constant[:] = vectors
                beside = [self._llm.program] if self._llm.device is self.device else []
                made = self._programs[height, width] = Loaded(join([video, *beside]), checked=True), constant
                if len(self._programs) > SIZES_KEPT:
                    self._programs.popitem(last=False)
                return made
            return self._programs[height, width]

    def instance(self, height: int, width: int) -> Instance:
        """Memory for one stream of frames of a size."""
        loaded, constant = self.built(height, width)
        empty = memory(self.parts.style_bytes)
        return Instance(loaded, {
            **self._llm.given, "video.weights": self.parts.constant, "video.vectors": constant, "style": empty,
        })  # fmt: skip


class NanoStream:
    """A live stream: a look, a noise picture and the frames that attention recalls."""

    def __init__(self, model: Nano) -> None:
        self.model = model
        self.patience = 1.0
        self._started = False
        self._changes: Changes | None = None
        self._steady = Steady()
        self._calmed: Frames | None = None
        self._cells = self._skipped = 0
        self._instance: Instance | None = None  # there is none before the first frame

    @property
    def instance(self) -> Instance:
        assert self._instance is not None
        return self._instance

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        check_start(seed, strength)
        self._seed, self._strength = seed, strength
        self._size, self._frame, self._instance = (0, 0), 0, None
        self._started = True
        self.wear(blend(look))

    def wear(self, look: Blend) -> None:
        if not self._started:
            raise RuntimeError("start the stream before it changes its look")
        prompts, share = nearest.asked(look, self.model.landed)
        self._style = self.model.style(prompts) if prompts else None
        self._look, self._share = look, share
        self._changes = None  # nothing of what is held has this look
        self._steady, self._calmed = Steady(), None
        if self._instance is not None and self._style is not None:
            self._dress(self._instance, self._style)

    def _dress(self, instance: Instance, style: Bytes) -> None:
        instance["style"] = style
        instance["strength"][:4] = np.array([self._strength * self._share], np.float32).view(np.uint8)
        instance.place()

    def build(self, height: int, width: int) -> None:
        self.model.built(height, width)

    def step(self, frames: Frames) -> Frames:
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frames)
        shown = frames.copy()
        for n, frame in enumerate(frames):
            ((_, picture),) = self.model.step_many([self], [frame])
            if isinstance(picture, Exception):
                raise picture
            shown[n] = picture
        return shown

    def ready(self, frame: Frames) -> Frames | None:
        """Get ready to make the frame (H, W, 3); returns what is shown if there is nothing to make."""
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frame[None])
        if self._style is None or self._strength == 0:
            return frame.copy()
        if frame.shape[:2] != self._size:
            self._forget(*frame.shape[:2])
        cells = None
        if self._changes is None:
            self._changes = Changes(frame, self.model.skip)
        else:
            self._changes.threshold = self.model.skip * self.patience
            made = self._changes(frame)
            self._cells += made.size
            self._skipped += made.size - int(made.sum())
            if not made.any():
                return self._shown() if self._calmed is None else self._calmed.copy()
            cells = None if made.all() else made
        instance = self.instance
        instance.make_only(cells)
        instance["frame"][: frame.size] = frame.reshape(-1)
        self._recall(instance)
        self._source = frame
        return None

    def made(self) -> Frames:
        """After the launch: what is shown, (H, W, 3)."""
        self._frame += 1
        if not self.model.steady:
            return self._shown()
        self._calmed = self._steady(self._source, self._shown())
        return self._calmed.copy()

    def _shown(self) -> Frames:
        height, width = self._size
        return self.instance["shown"][: height * width * 3].reshape(height, width, 3).copy()

    def _recall(self, instance: Instance) -> None:
        """Which memory holds which frame: the first for ever, then three that take turns."""
        slot = lambda n: 3 if n <= 0 else (n - 1) % 3
        held = (3, slot(self._frame - 2), slot(self._frame - 1), slot(self._frame))
        for i, slots in enumerate(self._slots):
            for name, k in zip(MEMORY, held, strict=True):
                instance[f"{name}.{i}"] = slots[k]
        instance.place()

    def _forget(self, height: int, width: int) -> None:
        model = self.model
        instance = self._instance = model.instance(height, width)
        assert self._style is not None
        self._dress(instance, self._style)
        raw = noise(self._seed, height, width)
        instance["noise"][: raw.size] = raw
        self._slots = [[instance[f"{name}.{i}"] for name in MEMORY] for i in range(model.parts.config.blocks)]
        self._size, self._frame, self._changes = (height, width), 0, None

    @property
    def work_saved(self) -> float:
        """Share of the work that was not done because nothing changed, 0 to 1."""
        return self._skipped / self._cells if self._cells else 0.0

    def scene(self) -> F32 | None:
        """Scene tokens (Y / 16, X / 16, D) that the encoder made of the last frame; None before the first."""
        if self._instance is None or not self._frame:
            return None
        parts, (height, width) = self.model.parts, self._size
        quant, shape = parts.quants["encoder.to_scene"], (height // 16, width // 16, parts.config.widths[3])
        made = next(node.task for node in self._instance.loaded.program.nodes if node.op == "encoder.to_scene")
        assert isinstance(made, Conv)  # its result stays where it is until the next frame
        raw = self._instance.arrays[made.y.buffer][made.y.offset :][: int(np.prod(shape))].reshape(shape)
        return (raw.astype(np.float32) - np.float32(quant.zero)) * np.float32(quant.step)

    def save(self) -> bytes:
        if not self._started:
            raise RuntimeError("start the stream before saving it")
        arrays: dict[str, NDArray[np.generic]] = {}
        for i, slots in enumerate(self._slots if self._frame else []):
            arrays |= {f"{i}.{k}": slot.copy() for k, slot in enumerate(slots)}
        arrays["numbers"] = np.array([self._seed, self._frame, *self._size], np.int64)
        arrays["strength"] = np.array(self._strength)
        arrays["look"] = np.frombuffer(json.dumps(self._look).encode(), np.uint8)
        arrays |= {key: self.model.pictures[key] for key in picture.named(self._look)}
        return save_arrays(arrays, {"model": f"{self.model.name} int8"})

    def load(self, state: bytes) -> None:
        try:
            arrays = load_arrays(state)
            seed, frame, height, width = (int(n) for n in arrays["numbers"])
            look = blend((str(prompt), float(weight)) for prompt, weight in json.loads(arrays["look"].tobytes()))
            blocks = range(self.model.parts.config.blocks if frame else 0)
            kept: Sequence[Sequence[Bytes]] = [[arrays[f"{i}.{k}"] for k in range(len(MEMORY))] for i in blocks]
            strength = float(arrays["strength"])
            pictures = {key: arrays[key] for key in picture.named(look)}
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is not a saved stream of {self.model.name}: {error}") from None
        if frame:
            check(np.empty((0, height, width, 3), np.uint8))
        expected = (kv_bytes(self.model.parts.config.heads, height // 16 * (width // 16)),)
        for content in (x for slots in kept for x in slots):
            if content.dtype != np.uint8 or content.shape != expected:
                raise ValueError(f"saved memory is {content.dtype} {content.shape}, needs uint8 {expected}")
        self.model.pictures.keep(pictures)
        self.start(look, seed, strength)
        if not frame or self._style is None:
            return
        self._forget(height, width)
        for mine, theirs in zip(self._slots, kept, strict=True):
            for slot, content in zip(mine, theirs, strict=True):
                slot[:] = content
        self._frame = frame


def noise(seed: int, height: int, width: int) -> Bytes:
    """The stream's noise picture as the program reads it: bytes (Y / 8, X / 8, 192), channels (colour, dy, dx)."""
    picture = np.random.Generator(np.random.Philox(seed)).standard_normal((1, 3, height, width), np.float32)
    rows, columns = height // 8, width // 8
    unshuffled = picture.reshape(3, rows, 8, columns, 8).transpose(1, 3, 0, 2, 4)
    return NOISE.bytes(unshuffled).reshape(-1)
