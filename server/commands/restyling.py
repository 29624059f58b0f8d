"""`reverie restyle`: a video file, or all of a folder."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reverie.server.commands import BAD_INPUT, Commands

if TYPE_CHECKING:
    from reverie.server.restyle import Job


def add(commands: Commands) -> None:
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
