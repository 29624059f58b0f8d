"""SmolLM2 on the kernels: reads prompts and writes richer ones, a token at a time, inside the frames' launches."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.machine import Instance, Loaded, memory
from reverie.kernels.program import Program
from reverie.models import checkpoint
from reverie.models.cache import built, digest
from reverie.models.checkpoint import F32
from reverie.models.device import Device
from reverie.models.enhance import rewrite
from reverie.models.llm_lowering import CHUNK, CONTEXT, VERSION, Language, packed, rope

TURN_S = 0.002  # that a text waits before it asks whether another has been read
DECODE = 1  # the LLM's place in a frame's program
PART = 8  # positions of a text to be continued that are read at once: a frame or a prompt waits half as long as for 16


class _Text:
    """Whose text is read and written; it dies with its generator, so that a text given up keeps nobody waiting."""


def _nobody() -> None:
    """Nobody's text is held."""


class KernelLLM:
    """Weights, cache and programs.  One text at a time: calls from other threads wait."""

    def __init__(self, source: str | None, device: Device, states: tuple[int, ...]) -> None:
        """
        Args: source: as reverie.models.checkpoint.read, None is the installed package.  states: layers that are read.
        Raises: FileNotFoundError; ValueError if the files are damaged or of another architecture.
        """
        found = checkpoint.read(source or checkpoint.packaged())
        self.shape, self.tokenizer, self.end = found.shape, found.tokenizer, found.end
        self.device, self.layers = device, states
        weights = built(digest(found.source, VERSION), lambda: packed(found.shape, found.tensors()))
        angles = rope(self.shape).reshape(-1).view(np.uint8)
        turns = memory(angles.nbytes)
        turns[:] = angles
        self.given: dict[str, NDArray[np.uint8]] = {"llm.weights": weights, "llm.rope": turns}
        self.program: Program = Language(self.shape, 1, device.pool.workers).build()
        self._decode = Instance(Loaded(self.program), self.given)
        for name in ("llm.cache", "llm.position", "llm.token"):
            self.given[name] = self._decode[name]
        self._states = self._reader(CHUNK, states)
        self._brief: Instance | None = None  # for prompts of PART tokens at most: 0.55 of the time, the same states
        self._read: Instance | None = None  # through all layers; there is none before `finish`
        self._finishing = threading.Lock()
        self._held: Callable[[], _Text | None] = _nobody  # whose text the cache holds
        self._unread: list[int] = []  # of that text
        self._lock = threading.Lock()

    def _reader(self, count: int, states: tuple[int, ...]) -> Instance:
        program = Language(self.shape, count, self.device.pool.workers, states).build()
        shared = {name: array for name, array in self.given.items() if name != "llm.token"}
        return Instance(Loaded(program), shared)

    def finish(self) -> Instance:
        """What that reads what is to be continued is made at the first call with that for brief prompts (0.5 s)."""
        with self._finishing:
            self._brief = self._brief or self._reader(PART, self.layers)
            self._read = self._read or self._reader(PART, ())
            return self._read

    def tokenize(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def states(self, tokens: Sequence[int]) -> F32:
        """States (L, layers * width) float32 after each token, the layers side by side.

        Raises: ValueError if there are no tokens, or more than the context holds.
        """
        if not 0 < len(tokens) <= CONTEXT:
            raise ValueError(f"{len(tokens)} tokens do not fit a context of {CONTEXT}")
        with self._lock:
            self._held, self._unread = _nobody, []
            rows, reader, count = [], self._states, CHUNK
            if self._brief is not None and len(tokens) <= PART:
                reader, count = self._brief, PART
            for first in range(0, len(tokens), count):
                chunk = tokens[first : first + count]
                self._take(reader, count, chunk, first)
                rows.append(np.concatenate([self._kept(reader, n, len(chunk)) for n in self.layers], 1))
        return np.concatenate(rows)

    def _kept(self, reader: Instance, layer: int, count: int) -> F32:
        raw = reader[f"states.{layer}"][: 4 * count * self.shape.width]
        return raw.view(np.float32).reshape(count, self.shape.width).copy()

    def _take(self, reader: Instance, count: int, chunk: Sequence[int], position: int) -> None:
        reader["llm.token"][: 4 * count].view(np.int32)[:] = [*chunk, *[0] * (count - len(chunk))]
        self._at(position)
        self.device.run(reader)

    def _at(self, position: int) -> None:
        self.given["llm.position"][:4].view(np.int32)[0] = position

    def generate(self, text: str, max_tokens: int) -> Iterator[str]:
        """Greedy continuation of `text`, in pieces as they are made; ends at an end token or after `max_tokens`.

        A piece is "" for each part of the text that was read.  Between two pieces the LLM may read and write for
        others: what it held of this text is then read again.
        """
        tokens = self.tokenize(text)[-(CONTEXT - max_tokens) :]
        made: list[int] = []
        told, whose = "", _Text()
        while len(made) < max_tokens:
            with self._lock:
                token = self._next([*tokens, *made], whose)
                waits = self._held() is not whose
            if token is None:
                if waits:
                    time.sleep(TURN_S)
                yield ""
                continue
            if token in self.end:
                return
            made.append(token)
            whole = self.tokenizer.decode(made)
            if not whole.endswith("\ufffd"):  # else in the middle of a character
                yield whole[len(told) :]
                told = whole

    def _next(self, tokens: Sequence[int], whose: _Text) -> int | None:
        """The likeliest token after these; None if a part of them was read, and more is to be read."""
        current = self.given["llm.token"][:4].view(np.int32)
        if self._held() is not whose:
            if self._unread and self._held() is not None:
                return None  # first what another has begun to read
            self._held, self._unread = weakref.ref(whose), list(tokens[:-1])
            self._at(0)
            current[0] = tokens[0]
        if self._unread:
            chunk, self._unread = self._unread[:PART], self._unread[PART:]
            self._take(self.finish(), PART, chunk, len(tokens) - 1 - len(self._unread) - len(chunk))
            if self._unread:
                return None
            self._at(len(tokens) - 1)
            current[0] = tokens[-1]  # at once: who has read all writes a token before another's turn
        self.device.token(self._decode, DECODE)
        return int(current[0])

    def enhance(self, prompt: str) -> Iterator[str]:
        """Pieces of a richer prompt that begins with the raw one; see enhance.py."""
        return rewrite(prompt, self.generate)
