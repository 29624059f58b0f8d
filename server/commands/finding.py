"""`reverie search`, `index` and `reel`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reverie.server.commands import Commands


def add(commands: Commands) -> None:
    _search_options(commands)
    _index_options(commands)
    _reel_options(commands)


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
    index.add_argument("--workers", type=int, default=0, help="on Ray: processes that read (one for two cores)")
    index.add_argument(
        "--ray", nargs="?", const="local", metavar="HOST:PORT",
        help="let Ray's actors read, on a cluster or, without an address, on this machine",
    )  # fmt: skip
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
    archive, lookers = open_archive(settings), None
    if args.ray:
        from reverie.server.ray_workers import RayLookers

        lookers = RayLookers(args.ray, args.workers, settings.search_model, place)
    elif args.workers:
        raise ValueError("--workers is for --ray: without it one process reads")
    with tqdm(total=len(paths), unit="file", disable=not sys.stderr.isatty()) as bar:

        def told(path: Path, done_s: float, whole_s: float) -> None:
            bar.n = paths.index(path)
            bar.set_postfix_str(f"{path.name} at {done_s:.0f} s")

        segmenter = segment.Segmenter(place) if segment.is_here(place) and not lookers else None
        report = footage.index(archive, args.tenant, paths, segmenter, told, lookers)
    if lookers:
        lookers.close()
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
