"""The training loop: one-step x0 prediction on short clips, all frames of a clip at once.

The rate is held, then falls to nothing over the last 30 % of the budget, so a run that was stopped goes on, and a
finished one can be given more minutes.
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
from numpy.typing import NDArray
from torch import Tensor, nn

from reverie.models import weights
from reverie.models.config import NANO
from reverie.models.network import Network, channels_last
from reverie.models.train.batches import Batches
from reverie.models.train.losses import Clips, clips, step_losses
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
    start: Path | None = None  # what a new run begins with: another run's averaged network, or shipped weights

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

    def begin(self, path: Path) -> None:
        """The averaged network of another run, which may have had other looks, or weights as they are shipped."""
        shipped = path.suffix == ".safetensors"
        state = weights.load(path) if shipped else torch.load(path, weights_only=True)["ema"]
        self.network.load_state_dict(state)
        self.ema.load_state_dict(state)

    def note(self, looks: NDArray[np.int64], each: Tensor) -> None:
        """How far off the answers to each look still are: L1 (B,) on [-1, 1]."""
        for look, loss in zip(looks, each.tolist(), strict=True):
            self.difficulty[look] += 0.02 * (loss / 0.1 - self.difficulty[look])

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
        so_far = f"{trainer.seconds / 60:.0f} of {run.minutes:.0f} minutes done"
        print(f"{run.name} goes on from step {trainer.step}, {so_far}")
    elif run.start:
        trainer.begin(run.start)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    rng = np.random.default_rng([run.seed, trainer.step])
    torch.manual_seed(run.seed + trainer.step)
    report, saved = Report(run.folder / f"{run.name}.jsonl"), time.monotonic()
    feed = ahead(batches)
    while (done := trainer.seconds / (run.minutes * 60)) < 1 and not stop.is_set():
        began = time.monotonic()
        batch = next(feed)
        losses, each = step_losses(trainer.network, trainer.guess, perceptual, words, batch, rng)
        sum(losses.values(), torch.zeros(())).backward()
        trainer.update(run.rate * schedule(trainer.step, done))
        trainer.note(batch.looks, each)
        batches.weights = trainer.difficulty**0.5
        trainer.seconds += min(time.monotonic() - began, 10.0)  # a pause of the process is not training
        report.add(trainer, losses, batch.source.shape[0] * batch.source.shape[1])
        if time.monotonic() - saved > SAVE_EVERY_S:
            save(trainer, run)
            saved = time.monotonic()
    save(trainer, run)


def schedule(step: int, done: float) -> float:
    """Share of the full rate: 60 steps of warm-up, then level, then down to 2 % over the last 30 %."""
    return min(1.0, (step + 1) / 60) * max(0.02, min(1.0, (1 - done) / 0.3))


def ahead(batches: Batches) -> Iterator[Clips]:
    """Batches as tensors, prepared by a thread while the network trains."""
    ready: queue.Queue[Clips] = queue.Queue(3)

    def work() -> None:
        for batch in batches:
            ready.put(clips(batch))

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
