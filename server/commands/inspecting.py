"""`reverie models`, `models pull` and `profile`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reverie.server.commands import Commands


def add(commands: Commands) -> None:
    _models_options(commands)
    _profile_options(commands)


def _models_options(commands: Commands) -> None:
    models = commands.add_parser("models", help="list models, or fetch one: reverie models pull NAME")
    models.add_argument("--json", action="store_true")
    models.set_defaults(run=_models)
    actions = models.add_subparsers(metavar="pull")
    pull = actions.add_parser("pull", help="fetch a model: safetensors and settings, checked, no code")
    pull.add_argument("name", metavar="NAME", help="of the list, or as the hub has it: owner/name")
    pull.add_argument(
        "--from", dest="source", metavar="SOURCE", help="address of a hub or of a folder, or a folder (REVERIE_HUB)"
    )
    pull.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    pull.set_defaults(run=_pull)


def _profile_options(commands: Commands) -> None:
    profile = commands.add_parser("profile", help="where the time of a frame goes")
    profile.add_argument(
        "--device", choices=("cpu", "neuron"), default="cpu", help="neuron: modelled, nothing runs there"
    )
    profile.add_argument("--frames", type=int, default=30, help="frames that are traced (default 30)")
    profile.add_argument("--no-llm", action="store_true", help="frames without an LLM token beside them")
    profile.add_argument("--out", help="write the trace here, for ui.perfetto.dev (.json); neuron: or .svg")
    profile.add_argument("--json", action="store_true")
    profile.set_defaults(run=_profile)


def _models(args: argparse.Namespace) -> int:
    from reverie.models import registry
    from reverie.server.settings import from_environment

    rows = registry.describe(from_environment().models_folder)
    print(json.dumps({"models": rows}) if args.json else registry.table(rows))
    return 0


def _pull(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from reverie.models import licence
    from reverie.models.pull import pull
    from reverie.server.settings import from_environment

    settings = from_environment()
    shown = ""
    with tqdm(unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:

        def told(path: str, here: int, whole: int) -> None:
            nonlocal shown
            if path != shown and bar.disable:
                of = f" of {whole / 1e6:.1f}" if whole else ""  # a plain web folder does not tell sizes
                print(f"fetching {path} ({here / 1e6:.1f}{of} MB are here)", file=sys.stderr)
            shown, bar.total, bar.n = path, whole or None, here
            bar.set_description_str(path)

        folder = pull(args.name, args.source or settings.hub, settings.models_folder, told)
    if notice := licence.notice(str(folder)):
        print(notice, file=sys.stderr)
    found = {"name": args.name, "folder": str(folder), "licence": licence.of(folder)}
    print(json.dumps(found) if args.json else f"{args.name} is here: reverie serve --model {args.name}")
    return 0


def _profile(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from tqdm import tqdm

    if args.device == "neuron":
        return _profile_neuron(args)
    from reverie.kernels import trace
    from reverie.models.profile import profile
    from reverie.server.settings import from_environment

    with tqdm(total=max(args.frames, 0), unit="frame", disable=not sys.stderr.isatty()) as bar:
        program, events, report = profile(args.frames, not args.no_llm, from_environment().cpu, lambda n: bar.update())
    if args.out:
        Path(args.out).write_text(json.dumps(trace.chrome(program, events)))
    print(json.dumps(asdict(report)) if args.json else trace.text(report))
    return 0


def _profile_neuron(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from reverie.kernels.neuron import timeline
    from reverie.models.neuron import profile

    traced = profile(not args.no_llm)
    if args.out:
        drawn = Path(args.out).suffix == ".svg"
        made = timeline.drawing(traced.events) if drawn else json.dumps(timeline.chrome(traced.events))
        Path(args.out).write_text(made)
    rows = {"title": timeline.TITLE, **asdict(traced.report), "peak_bytes": traced.peak_bytes, "emit_s": traced.emit_s}
    print(json.dumps(rows) if args.json else timeline.text(traced.report))
    return 0
