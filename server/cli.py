"""The `reverie` command.  A bad input is one line on stderr and exit code 2; heavy imports wait for their command."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from reverie.server.restyle import Job

BAD_INPUT, INTERRUPTED = 2, 130
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
BENCHES = Path(__file__).resolve().parents[1] / "tests" / "bench"


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["bench"]:
        return bench(arguments[1:])
    args = _parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except (ValueError, FileNotFoundError, PermissionError, OSError) as error:
        print(f"reverie {args.command}: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="reverie", description="Real-time video-to-video generation on your machine.")
    parser.add_argument("--version", action="version", version=f"reverie {version('reverie')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _serve_options,
        _fleet_options,
        _restyle_options,
        _models_options,
        _search_options,
        _index_options,
        _reel_options,
        _key_options,
        _doctor_options,
        _profile_options,
    ):
        add(commands)
    commands.add_parser("bench", help="run a benchmark: reverie bench NAME [--json] [ARGS]")
    return parser


def _serve_options(commands: Commands) -> None:
    serve = commands.add_parser("serve", help="serve the camera page and the API")
    serve.add_argument("--host", help="address to listen on (127.0.0.1; with --lan 0.0.0.0)")
    serve.add_argument(
        "--lan", action="store_true", default=None, help="serve the local network: TLS, a link and a QR code"
    )
    serve.add_argument("--tls-cert", metavar="PEM", help="certificate for TLS (with --lan one is made)")
    serve.add_argument("--tls-key", metavar="PEM", help="its key")
    serve.add_argument("--port", type=int, help="port, 0 for any free one (8080)")
    serve.add_argument(
        "--effect", action="append", dest="effects", metavar="FILE[:before|after]",
        help="a file with `def effect(frame, ctx)`, or the name of an entry point; may be given several times",
    )  # fmt: skip
    serve.add_argument("--model", help="model that serves sessions (nano)")
    serve.add_argument("--device", help="where it runs (cpu)")
    serve.add_argument("--max-sessions", type=int, help="sessions at once (4)")
    serve.set_defaults(run=_serve)


def _fleet_options(commands: Commands) -> None:
    fleet = commands.add_parser("fleet", help="serve with many nodes on Ray, as many as clients need")
    fleet.add_argument(
        "--ray", default="local", metavar="HOST:PORT", help="a cluster; without it one is started on this machine"
    )
    fleet.add_argument("--nodes", type=int, default=1, help="at least (1)")
    fleet.add_argument("--max-nodes", type=int, default=8, help="at most (8)")
    fleet.add_argument("--cpus", type=float, default=2, help="cores that a node on a CPU takes (2)")
    fleet.add_argument("--patience-s", type=float, default=60, help="seconds of quiet before a node goes (60)")
    fleet.add_argument("--drain-s", type=float, default=300, help="seconds that its sessions may still last (300)")
    fleet.add_argument("--host", help="address to listen on (127.0.0.1; 0.0.0.0 for other machines)")
    fleet.add_argument("--port", type=int, help="port of the first node, the others follow; 0 for any free ones (8080)")
    fleet.add_argument("--model", help="model that serves sessions (nano)")
    fleet.add_argument("--device", help="where it runs; a node takes one GPU or one NeuronCore (cpu)")
    fleet.add_argument("--max-sessions", type=int, help="sessions at once of each node (4)")
    fleet.set_defaults(run=_fleet)


def _restyle_options(commands: Commands) -> None:
    restyle = commands.add_parser("restyle", help="turn a video file, or all of a folder, into another look")
    restyle.add_argument("input", type=Path, metavar="IN", help="a video, or a folder of videos")
    restyle.add_argument("output", type=Path, metavar="OUT", help="a video, or the folder for those of a folder")
    restyle.add_argument("--prompt", required=True, help="the look, in your own words")
    restyle.add_argument("--model", default="nano")
    restyle.add_argument("--device", default="cpu")
    restyle.add_argument("--strength", type=float, default=1.0, help="0 keeps the input, 1 is the look alone (1)")
    restyle.add_argument("--seed", type=int, default=0)
    restyle.add_argument("--render", metavar="WxH", help="size to render at, multiples of 16, at most 1280x720 of area")
    restyle.add_argument("--enhance", action="store_true", help="let the LLM enrich the prompt first")
    restyle.add_argument("--workers", type=int, default=0, help="of a folder: processes that paint (one for two cores)")
    restyle.add_argument(
        "--ray", nargs="?", const="local", metavar="HOST:PORT",
        help="of a folder: let Ray's actors paint, on a cluster or, without an address, on this machine",
    )  # fmt: skip
    restyle.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    restyle.set_defaults(run=_restyle)


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


def _search_options(commands: Commands) -> None:
    search = commands.add_parser("search", help="find moments of what was streamed or indexed")
    search.add_argument("query", nargs="?", default="", metavar="QUERY", help="in your own words")
    search.add_argument("--image", type=Path, metavar="FILE", help="what looks like a picture")
    search.add_argument("--video", type=Path, metavar="CLIP", help="what looks and moves like a clip")
    search.add_argument("--like", default="", metavar="MOMENT", help="what is like a moment, by its id")
    search.add_argument("--session", default="", help="only of this session")
    search.add_argument("--style", help="only where this prompt was worn")
    search.add_argument("--after", metavar="WHEN", help="only after a time: Unix seconds or 2026-11-25T10:00")
    search.add_argument("--before", metavar="WHEN", help="only before a time")
    search.add_argument(
        "--side", choices=("source", "output"), default="", help="compare the camera's or the shown picture"
    )
    search.add_argument("--mode", choices=("hybrid", "vector", "words"), default="hybrid", help="what ranks (hybrid)")
    search.add_argument("--limit", type=int, default=10, help="answers at most (10)")
    search.add_argument("--tenant", default="local", help="whose moments, on this machine's disk (local)")
    search.add_argument("--url", default="", help="ask a server, as http://127.0.0.1:8080")
    search.add_argument("--api-key", default="", help="for a server that needs one")
    search.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    search.set_defaults(run=_search)


def _index_options(commands: Commands) -> None:
    index = commands.add_parser("index", help="make existing videos and pictures findable")
    index.add_argument("folder", type=Path, metavar="FOLDER", help="or one file; what is known already is left out")
    index.add_argument("--tenant", default="local", help="whose moments they become (local)")
    index.add_argument("--json", action="store_true")
    index.set_defaults(run=_index)


def _reel_options(commands: Commands) -> None:
    reel = commands.add_parser("reel", help="cut the moments of a search into one video")
    reel.add_argument("query", metavar="QUERY")
    reel.add_argument("output", type=Path, metavar="OUT.mp4")
    reel.add_argument("--limit", type=int, default=10, help="moments at most (10)")
    reel.add_argument("--tenant", default="local")
    reel.add_argument("--json", action="store_true")
    reel.set_defaults(run=_reel)


def _key_options(commands: Commands) -> None:
    key = commands.add_parser("key", help="make an API key for a tenant")
    key.add_argument("tenant", metavar="TENANT", help="letters, digits, dots, dashes")
    key.set_defaults(run=_key)


def _doctor_options(commands: Commands) -> None:
    doctor = commands.add_parser("doctor", help="what this machine can do, and how to mend what is missing")
    doctor.add_argument("--quick", action="store_true", help="do not load the model to measure its speed")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor)


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


def _serve(args: argparse.Namespace) -> int:
    from reverie.models import licence, registry
    from reverie.server import loading
    from reverie.server.settings import from_environment

    names = ("host", "port", "lan", "tls_cert", "tls_key", "model", "device", "max_sessions", "effects")
    settings = from_environment(**{name: getattr(args, name) for name in names})
    registry.check(settings.model_source, settings.device)
    if notice := licence.notice(settings.model_source):
        print(notice, file=sys.stderr, flush=True)
    begun = loading.begin(settings)
    from reverie.server.serve import CannotListen, serve

    try:
        serve(settings, begun)
    except CannotListen as error:
        print(f"reverie serve: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _fleet(args: argparse.Namespace) -> int:
    from reverie.models import registry
    from reverie.server.ray_fleet import Wanted, run
    from reverie.server.settings import from_environment

    names = ("host", "port", "model", "device", "max_sessions")
    settings = from_environment(**{name: getattr(args, name) for name in names})
    registry.check(settings.model, settings.device)
    run(settings, Wanted(args.nodes, args.max_nodes, args.cpus, args.patience_s, args.drain_s), args.ray)
    return 0


def _restyle(args: argparse.Namespace) -> int:
    from reverie.models import licence
    from reverie.models.diffusion.catalogue import located
    from reverie.server.restyle import Job, restyle
    from reverie.server.settings import from_environment

    model = located(from_environment().models_folder, args.model)
    if notice := licence.notice(model):
        print(notice, file=sys.stderr)
    job = Job(
        args.input,
        args.output,
        args.prompt,
        model,
        args.device,
        args.strength,
        args.seed,
        args.render,
        args.enhance,
    )
    if args.input.is_dir():
        return _restyle_folder(args, job)
    report = restyle(job)
    if args.json:
        print(json.dumps(report))
    else:
        print(f"{report['frames']} frames at {report['fps']} fps, {report['step_ms']['p50']} ms a step: {args.output}")
    return 0


def _restyle_folder(args: argparse.Namespace, job: Job) -> int:
    from reverie.server.restyle_folder import begin_and_tell

    reports = begin_and_tell(job, args.workers, args.ray)
    failed = [each for each in reports if each["state"] == "failed"]
    if args.json:
        print(json.dumps({"files": reports}))
    else:
        made, there = (sum(each["state"] == state for each in reports) for state in ("made", "there"))
        print(f"{made} files made, {there} there already, {len(failed)} failed: {job.output}")
    for each in failed:
        print(f"reverie restyle: {each['file']}: {each['error']}", file=sys.stderr)
    return BAD_INPUT if failed else 0


def _search(args: argparse.Namespace) -> int:
    from reverie.server.search.commands import Asked, search, text, when
    from reverie.server.search.index import Filter
    from reverie.server.settings import from_environment

    only = Filter(args.session, when(args.after), when(args.before), args.style, args.side)
    asked = Asked(
        args.query,
        args.image or args.video,
        args.like,
        only,
        args.mode,
        args.limit,
        args.tenant,
        args.url,
        args.api_key,
    )
    found = search(from_environment(), asked)
    print(json.dumps(found) if args.json else text(found))
    return 0


def _index(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from reverie.server import segment
    from reverie.server.search import footage
    from reverie.server.search.commands import open_archive
    from reverie.server.settings import from_environment

    settings, paths = from_environment(), footage.files(args.folder)
    place = segment.folder(settings.segmenter)
    archive = open_archive(settings)
    with tqdm(total=len(paths), unit="file", disable=not sys.stderr.isatty()) as bar:

        def told(path: Path, done_s: float, whole_s: float) -> None:
            bar.n = paths.index(path)
            bar.set_postfix_str(f"{path.name} at {done_s:.0f} s")

        segmenter = segment.Segmenter(place) if segment.is_here(place) else None
        report = footage.index(archive, args.tenant, paths, segmenter, told)
    archive.close()
    known = ", ".join(f"{count} {what}" for what, count in report.items())
    print(json.dumps(report) if args.json else f"{len(paths)} files: {known}")
    return 0


def _reel(args: argparse.Namespace) -> int:
    from reverie.server.search.archive import Query
    from reverie.server.search.commands import open_archive
    from reverie.server.search.reel import reel
    from reverie.server.settings import from_environment

    settings = from_environment()
    archive = open_archive(settings)
    moments = [hit.moment for hit in archive.find(args.tenant, Query(args.query, limit=args.limit))]
    report = reel(archive.journal(args.tenant), moments, settings.data_folder / "recordings" / args.tenant, args.output)
    archive.close()
    said = f"{report['moments']} moments, {report['seconds']} s: {args.output}"
    print(json.dumps(report) if args.json else said)
    return 0


def _key(args: argparse.Namespace) -> int:
    from reverie.server.access import new_key
    from reverie.server.settings import from_environment

    key, line = new_key(args.tenant)
    if path := from_environment().api_keys_file:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        print(f"{key}\nThis is the only time it is shown; {path} holds its hash.", file=sys.stdout)
    else:
        print(
            f"{key}\nThis is the only time it is shown.  Put this line into the file of REVERIE_API_KEYS_FILE:\n{line}"
        )
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from reverie.server.doctor import examine, text
    from reverie.server.settings import from_environment

    findings = examine(from_environment(), args.quick)
    print(json.dumps({"findings": [asdict(each) for each in findings]}) if args.json else text(findings))
    return int(any(each.state == "bad" for each in findings))


def _profile(args: argparse.Namespace) -> int:
    from dataclasses import asdict
    from pathlib import Path

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
                print(f"fetching {path} ({here / 1e6:.1f} of {whole / 1e6:.1f} MB are here)", file=sys.stderr)
            shown, bar.total, bar.n = path, whole, here
            bar.set_description_str(path)

        folder = pull(args.name, args.source or settings.hub, settings.models_folder, told)
    if notice := licence.notice(str(folder)):
        print(notice, file=sys.stderr)
    found = {"name": args.name, "folder": str(folder), "licence": licence.of(folder)}
    print(json.dumps(found) if args.json else f"{args.name} is here: reverie serve --model {args.name}")
    return 0


def bench(arguments: list[str]) -> int:
    """Run tests/bench/bench_NAME.py of this checkout and hand on what it prints and returns."""
    known = sorted(path.stem.removeprefix("bench_") for path in BENCHES.glob("bench_*.py"))
    name = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    if name not in known:
        asked = f"there is no benchmark {name!r}" if name else "name a benchmark"
        there = ", ".join(known) or "none: benchmarks come with a checkout of the source"
        print(f"reverie bench: {asked}; there are {there}", file=sys.stderr)
        return BAD_INPUT
    return subprocess.run([sys.executable, str(BENCHES / f"bench_{name}.py"), *arguments[1:]]).returncode
