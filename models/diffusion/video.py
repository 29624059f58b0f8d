"""Causal video diffusion as a live stream: Wan of Self-Forcing's or LongLive's kind.  Chunks of three latents.

A chunk is twelve frames.  Its work is cut into turns, one a frame, so that no frame waits for all of it: four frames
become a latent when they are there; each turn makes one denoising step, or puts the chunk into the ring, or decodes a
latent.  What is shown lies twelve frames behind.  The first frame is a chunk of its own, standing still, and the
ring's sink: it is shown until the first moving chunk is done, so that no frame is unstyled.
With `skip`, places that rest are not made again (`resting.py`).  A negative prompt is asked once a chunk, at its first
step (`guidance.py`), over the same past.

With another look the past is told anew in turns that are left over: the chunks of the ring go through the network with
the new words, without noise (LongLive's recache), so that the old look does not linger.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reverie.models.blend import Blend, blend, styled
from reverie.models.diffusion.ask import Named
from reverie.models.diffusion.guidance import flow
from reverie.models.diffusion.resting import Resting
from reverie.models.diffusion.ring import Ring
from reverie.models.diffusion.sizes import LATENTS
from reverie.models.diffusion.told import Away
from reverie.models.stream import Frames, check, check_start

if TYPE_CHECKING:
    from reverie.models.diffusion.streaming import Features
    from reverie.models.diffusion.video_model import VideoModel

FRAMES = 4  # of a latent, but for the first of a stream
MOVED = 0.2  # root mean square difference of frames, of 1, that counts as full motion
STILL, MOVING = 0.8, 0.6  # share of noise at strength 1, by motion: a still picture can bear more


def noisiness(apart: float, before: float | None) -> float:
    """Share of noise for a chunk: less where more moves, changing slowly (StreamDiffusionV2, arXiv 2511.07399).

    Args: apart: root mean square difference of its frames, 0 to 1.  before: of the chunk before.
    """
    wanted = STILL - (STILL - MOVING) * min(1.0, apart / MOVED)
    return wanted if before is None else 0.9 * wanted + 0.1 * before


class VideoStream:
    """A live stream: a look, the past in a ring, and the chunks that are on their way."""

    _words: Tensor | None  # of the look; None without one
    _loras: Named
    _away: Away | None  # None: without guidance
    _ring: Ring | None  # the past; None before the first frame
    _past: Features  # of the encoder
    _future: Features  # of the decoder
    _shown: Frames  # the last picture
    _before: Frames  # the camera's last picture
    _waiting: list[Frames]  # less than a latent
    _latents: list[Tensor]  # less than a chunk
    _moved: list[float]  # how much each frame of them differs from the one before
    _noise: float | None  # share of noise of the chunk in work
    _turns: int  # that are left of its work
    _number: int  # of it
    _source: Tensor  # its latents, of the camera
    _x: Tensor  # and as they were last made
    _rested: Tensor  # and of the chunk before
    _active: Tensor | None  # its tokens that are made; None: all
    _rest: Resting | None  # which places rest; None: all are made
    _worn: Tensor | None  # the words it is made with
    _put_on: Named  # and the LoRAs
    _led: Away | None  # and what it is led away from
    _anchor: Tensor  # clean latents that this made of its first step
    _made: list[Tensor]  # latents to decode
    _ready: deque[Frames]  # to be shown
    _kept: list[tuple[Tensor, Tensor]]  # latents of the ring's chunks, made and of the camera, the sink first
    _told: Tensor | None  # the words that the ring was made with
    _new: tuple[Ring, Tensor] | None  # the ring with other words, as far as it is made
    continuous = True

    def __init__(self, model: VideoModel) -> None:
        self.model = model
        self._started = False
        self._tokens, self._made_tokens = 0, 0

    @property
    def work_saved(self) -> float:
        return 1 - self._made_tokens / self._tokens if self._tokens else 0.0

    def start(self, look: str | Blend, seed: int = 0, strength: float = 1.0) -> None:
        check_start(seed, strength)
        self._seed, self._strength, self._started = seed, strength, True
        self._forget()
        self.wear(blend(look))

    def wear(self, look: Blend) -> None:
        if not self._started:
            raise RuntimeError("start the stream before it changes its look")
        prompts, share = styled(look)
        shown = bool(prompts) and self._strength > 0
        heard = self.model.wish(prompts) if shown else None
        self._words, self._loras, self._away = heard[:3] if heard else (None, (), None)
        self.look, self._share = look, self._strength * share

    def step(self, frames: Frames) -> Frames:
        if not self._started:
            raise RuntimeError("start the stream before its first step")
        check(frames)
        if self._words is None:
            self._forget()
        if self._words is None or not len(frames):
            return frames.copy()
        paint = self.model.smaller.paint
        return np.concatenate(
            [paint(frame[None], lambda small: self._one(small[0])[None], self._forget) for frame in frames]
        )

    def _forget(self) -> None:
        """The next frame is the first."""
        self._ring = None

    @torch.inference_mode()
    def _one(self, frame: Frames) -> Frames:
        if self._ring is None or self._shown.shape != frame.shape:
            self._prime(frame)
            return self._shown.copy()
        self._before, apart = frame, self.model.apart(frame, self._before)
        self._moved.append(apart)
        if self._rest is not None:
            self._rest.see(self.model.seen(frame[None])[0])
        self._waiting.append(frame)
        if len(self._waiting) == FRAMES:
            self._latents.append(self.model.encode(np.stack(self._waiting), self._past))
            self._waiting.clear()
        self._turn()
        if self._ready:
            self._shown = self._ready.popleft()
        return self._shown.copy()

    def _prime(self, frame: Frames) -> None:
        """The first frame, standing still for a chunk."""
        model, (height, width) = self.model, frame.shape[:2]
        self._ring = model.ring(height, width)
        self._past, self._future = model.codec.fresh()
        self._before, self._waiting, self._moved = frame, [], []
        self._rest = Resting(model.seen(frame[None])[0], model.side, model.skip) if model.skip > 0 else None
        self._x, self._anchor = torch.empty(0), torch.empty(0)
        self._worn, self._led = None, None
        self._ready = deque()
        still = np.repeat(frame[None], FRAMES, 0)
        self._latents = [model.encode(still[:1] if n == 0 else still, self._past) for n in range(LATENTS)]
        self._noise, self._turns, self._number, self._made = None, 0, 0, []
        self._kept, self._told, self._new = [], self._words, None
        self._begin()
        while self._turns:
            self._turn()
        self._shown = self._ready.pop()
        self._ready.clear()

    def _begin(self) -> None:
        """A chunk's latents are there: noise is put over them."""
        assert self._ring is not None
        apart = sum(self._moved) / len(self._moved) if self._moved else 0.0
        self._noise = noisiness(apart, self._noise)
        self._source, self._latents, self._moved = torch.cat(self._latents, 2), [], []
        led = self._led is self._away or (self._away is not None and self._away.like(self._led))
        self._rested, self._active = self._x, self._places(anew=self._words is not self._worn or not led)
        self._turns, self._worn, self._put_on = self.model.steps + LATENTS, self._words, self._loras
        self._led = self._away

    def _places(self, anew: bool) -> Tensor | None:
        """Tokens of the chunk to make (A,); None for all.  Args: anew: with another look, or none before."""
        model, count = self.model, self.model.net.tokens(*self._source.shape[2:])
        places = None if self._rest is None else self._rest.chunk(model.seen(self._before[None])[0], anew)
        self._tokens += count
        self._made_tokens += count if places is None else LATENTS * len(places)
        if places is None:
            return None
        of_each = np.arange(LATENTS)[:, None] * (count // LATENTS) + places
        return torch.from_numpy(of_each.reshape(-1)).to(self._source.device)

    def _turn(self) -> None:
        """One frame's share of a chunk's work, if there is any."""
        if not self._turns and len(self._latents) == LATENTS:
            self._begin()
        if not self._turns:
            self._renew()
            return
        model, done = self.model, self.model.steps + LATENTS - self._turns
        model.wear(self._put_on)
        self._turns -= 1
        if done < model.steps:
            self._x = self._denoised(done)
        if done == model.steps:
            self._keep()
        if done == model.steps - 1:
            self._made = list(self._x.split(1, 2))
            self._decode()
        elif done > model.steps:
            self._decode()

    def _denoised(self, step: int) -> Tensor:
        """The chunk's clean latents as the network sees them after another step; where it rests, those before."""
        if self._active is not None and not len(self._active):
            return self._rested
        ring = self._ring
        assert ring is not None and self._worn is not None and self._noise is not None
        begin = self._share * (1.0 if self.model.edits else self._noise)
        time = begin * (1 - step / self.model.steps)
        fixed = self.model.fixed(self._seed, self._number, step, self._source)
        noisy = (1 - time) * (self._x if step else self._source) + time * fixed
        said = lambda words: self.model.velocity(noisy, time, words, ring, self._source, active=self._active)
        velocity = said(self._worn)
        if self._led is not None:
            if step == 0:
                self._anchor = noisy - time * said(self._led.words)
            velocity = flow(noisy, time, velocity, self._anchor, self._led.scale)
        made = noisy - time * velocity
        return made if self._active is None else torch.where(self.model.net.at(self._active, made), made, self._rested)

    def _keep(self) -> None:
        """The chunk is the past now; one that rests as a whole is there already."""
        self._number += 1
        if self._active is not None and not len(self._active):
            return
        assert self._ring is not None and self._worn is not None
        self.model.velocity(self._x, 0.0, self._worn, self._ring, self._source, keep=True, active=self._active)
        rolled = self._kept if len(self._kept) < self._ring.slots else [self._kept[0], *self._kept[2:]]
        self._kept, self._new = [*rolled, (self._x, self._source)], None

    def _renew(self) -> None:
        """One chunk of the past with the words of now, if it was made with others."""
        if self._words is self._told or self._words is None:
            return
        if self._new is None:
            self._new = self.model.ring(*self._before.shape[:2]), self._words
        ring, words = self._new
        made, source = self._kept[ring.count]
        self.model.wear(self._loras)
        self.model.velocity(made, 0.0, words, ring, source, keep=True)
        if ring.count == len(self._kept):
            self._ring, self._told, self._new = ring, words, None

    def _decode(self) -> None:
        self._ready.extend(self.model.decode(self._made.pop(0), self._future, *self._before.shape[:2]))

    def save(self) -> bytes:
        if not self._started:
            raise RuntimeError("start the stream before saving it")
        from reverie.models.diffusion.video_state import save

        return save(self)

    def load(self, state: bytes) -> None:
        from reverie.models.diffusion.video_state import load

        load(self, state)
