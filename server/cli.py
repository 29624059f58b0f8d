"""The `reverie` command.  A bad input is one line on stderr and exit code 2; heavy imports wait for their command."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from reverie.server.commands import BAD_INPUT, finding, inspecting, restyling, serving

INTERRUPTED = 130
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
    for each in (serving, restyling, finding, inspecting):
        each.add(commands)
    commands.add_parser("bench", help="run a benchmark: reverie bench NAME [--json] [ARGS]")
    return parser


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
