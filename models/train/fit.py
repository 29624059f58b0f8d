"""The training loop: one-step x0 prediction on short clips, all frames of a clip at once.

N = B * T pictures (3, Y, X) in [-1, 1].  The rate is held, then falls to nothing over the last 30 % of the budget,
so a run that was stopped goes on, and a finished one can be given more minutes.
"""

from __future__ import annotations

import copy
import json
import queue
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from reverie.models.config import NANO
from reverie.models.memory import Clip
from reverie.models.network import Network, channels_last
from reverie.models.train.data import Batches
from reverie.models.train.optimiser import optimisers
from reverie.models.train.perceptual import Perceptual
from reverie.models.train.words import Words

EMA = 0.998
SAVE_EVERY_S = 300
REPORT_EVERY = 50  # steps


@dataclass(frozen=True, slots=True)
class Run:
    """One training run; `minutes` counts the time spent training over all its sittings."""

    name: str
    folder: Path
    minutes: float
    batch: int  # clips
    size: tuple[int, int]  # height, width of the crops
    rate: float
    seed: int
    threads: int

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.pt"


class Trainer:
    """Network, its average and the optimisers: everything a checkpoint holds."""

    def __init__(self, looks: int, run: Run) -> None:
        torch.manual_seed(run.seed)
        self.network = channels_last(Network(NANO))
        self.guess = nn.Linear(NANO.cond, looks)  # which look? keeps the conditions apart; not shipped
        self.ema = copy.deepcopy(self.network).requires_grad_(False)
        self.optimisers = optimisers(self.network, run.rate)
        self.optimisers.append(torch.optim.AdamW(self.guess.parameters(), lr=run.rate))
        self.step, self.seconds = 0, 0.0
        self.difficulty = np.ones(looks)  # running loss per look

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(), "ema": self.ema.state_dict(), "guess": self.guess.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "step": self.step, "seconds": self.seconds, "difficulty": self.difficulty.tolist(),
        }  # fmt: skip

    def resume(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.guess.load_state_dict(state["guess"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.step, self.seconds = state["step"], state["seconds"]
        self.difficulty = np.array(state["difficulty"])

    def update(self, rate: float) -> None:
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * group.get("rate", 1.0)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        decay = min(EMA, (1 + self.step) / (10 + self.step))
        averaged: list[Tensor] = list(self.ema.parameters())
        torch._foreach_lerp_(averaged, [p.detach() for p in self.network.parameters()], 1 - decay)


def fit(run: Run, batches: Batches, words: Words, perceptual: Perceptual) -> None:
    """Train until the budget is spent or the process is told to stop (SIGTERM, SIGINT); goes on from its checkpoint."""
    torch.set_num_threads(run.threads)
    trainer = Trainer(len(batches.looks), run)
    if run.checkpoint.is_file():
        trainer.resume(torch.load(run.checkpoint, weights_only=True))
        print(
            f"{run.name} goes on from step {trainer.step}, {trainer.seconds / 60:.0f} of {run.minutes:.0f} minutes done"
        )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    rng = np.random.default_rng([run.seed, trainer.step])
    torch.manual_seed(run.seed + trainer.step)
    report, saved = Report(run.folder / f"{run.name}.jsonl"), time.monotonic()
    feed = ahead(batches)
    while (done := trainer.seconds / (run.minutes * 60)) < 1 and not stop.is_set():
        began = time.monotonic()
        source, target, looks = next(feed)
        losses = step_losses(trainer, perceptual, words, source, target, looks, rng)
        sum(losses.values(), torch.zeros(())).backward()
        trainer.update(run.rate * schedule(trainer.step, done))
        batches.weights = trainer.difficulty**0.5
        trainer.seconds += min(time.monotonic() - began, 10.0)  # a pause of the process is not training
        report.add(trainer, losses, len(source) * source.shape[1])
        if time.monotonic() - saved > SAVE_EVERY_S:
            save(trainer, run)
            saved = time.monotonic()
    save(trainer, run)


def schedule(step: int, done: float) -> float:
    """Share of the full rate: 60 steps of warm-up, then level, then down to 2 % over the last 30 %."""
    return min(1.0, (step + 1) / 60) * max(0.02, min(1.0, (1 - done) / 0.3))


def step_losses(
    trainer: Trainer, perceptual: Perceptual, words: Words,
    source: Tensor, target: Tensor, looks: NDArray[np.int64], rng: np.random.Generator,
) -> dict[str, Tensor]:  # fmt: skip
    """Losses of one batch of clips (B, T, 3, Y, X) uint8; also notes how hard each look still is."""
    network, (clips, frames) = trainer.network, source.shape[:2]
    flat = lambda x: x.flatten(0, 1).float() / 127.5 - 1
    clean, y = flat(source), flat(target)
    grain = 0.06 * torch.rand(clips, 1, 1, 1).repeat_interleave(frames, 0)
    x = clean + grain * torch.randn_like(clean)
    noise = torch.randn(clips, *clean.shape[1:]).repeat_interleave(frames, 0)
    states, mask = words.draw(looks, rng)
    with torch.autocast("cpu", torch.bfloat16):
        tokens = network.connector(states, mask)
        t, x_t = noised(network, tokens, x, y, noise, frames, rng)
        recall = [Clip(frames, NANO.recent) for _ in network.blocks]
        picture = network(x, x_t, network.style(tokens, t).repeat(frames), recall)
        each = (picture - y).abs().flatten(1).mean(1)
        move = lambda z: z.unflatten(0, (clips, frames)).diff(dim=1)
        flicker = (move(picture) - move(y)).abs().mean()
        rows, columns = (int(rng.integers(0, n - 95)) if n > 96 else 0 for n in x.shape[2:])
        window = (slice(frames - 1, None, frames), slice(None), slice(rows, rows + 96), slice(columns, columns + 96))
        sharp = perceptual(picture[window], y[window])
        named = F.cross_entropy(trainer.guess(network.connector.condition(tokens, t)).float(), torch.from_numpy(looks))
    for look, loss in zip(looks, each.detach().float().unflatten(0, (clips, frames)).mean(1), strict=True):
        trainer.difficulty[look] += 0.02 * (float(loss) / 0.1 - trainer.difficulty[look])
    return {"l1": each.mean(), "perceptual": 0.12 * sharp, "flicker": 0.25 * flicker, "named": 0.02 * named}


def noised(
    network: Network, tokens: Tensor, x: Tensor, y: Tensor, noise: Tensor, frames: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Timesteps (B,) and x_t (N, 3, Y, X): mostly pure noise, sometimes part of the way to the target or to the
    network's own first answer, which is what several denoising steps will meet."""
    clips = len(tokens)
    if rng.random() < 0.85:
        return torch.ones(clips), noise
    t = 0.25 + 0.6 * torch.rand(clips)
    towards = y
    if rng.random() < 0.5:
        with torch.no_grad():
            style = network.style(tokens, torch.ones(clips)).repeat(frames)
            towards = network(x, noise, style, [Clip(frames, NANO.recent) for _ in network.blocks]).clamp(-1, 1)
    share = t.repeat_interleave(frames)[:, None, None, None]
    return t, (1 - share) * towards + share * noise


def ahead(batches: Batches) -> Iterator[tuple[Tensor, Tensor, NDArray[np.int64]]]:
    """Batches as (B, T, 3, Y, X) uint8 tensors, prepared by a thread while the network trains."""
    ready: queue.Queue[tuple[Tensor, Tensor, NDArray[np.int64]]] = queue.Queue(3)
    tensor = lambda a: torch.from_numpy(np.ascontiguousarray(a)).permute(0, 1, 4, 2, 3)

    def work() -> None:
        for source, target, looks in batches:
            ready.put((tensor(source), tensor(target), looks))

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()


def save(trainer: Trainer, run: Run) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    partial = run.checkpoint.with_suffix(".partial")
    torch.save(trainer.state(), partial)
    partial.replace(run.checkpoint)


class Report:
    """Mean losses, one JSON line per `REPORT_EVERY` steps, on paper and on stdout."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.sums, self.pictures, self.began = path, {}, 0, time.monotonic()  # type: ignore[var-annotated]

    def add(self, trainer: Trainer, losses: dict[str, Tensor], pictures: int) -> None:
        self.pictures += pictures
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(loss.detach()) / REPORT_EVERY
        if trainer.step % REPORT_EVERY:
            return
        speed = self.pictures / (time.monotonic() - self.began)
        line = {"step": trainer.step, "minutes": round(trainer.seconds / 60, 1), "fps": round(speed, 1)}
        line |= {name: round(value, 4) for name, value in self.sums.items()}
        text = json.dumps(line)
        print(text, flush=True)
        with self.path.open("a") as file:
            file.write(text + "\n")
        self.sums, self.pictures, self.began = {}, 0, time.monotonic()
