"""`reverie serve`, `fleet`, `key` and `doctor`: to start nodes and to look after them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from reverie.server.commands import BAD_INPUT, Commands


def add(commands: Commands) -> None:
    _serve_options(commands)
    _fleet_options(commands)
    _key_options(commands)
    _doctor_options(commands)


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


def _key_options(commands: Commands) -> None:
    key = commands.add_parser("key", help="make an API key for a tenant")
    key.add_argument("tenant", metavar="TENANT", help="letters, digits, dots, dashes")
    key.set_defaults(run=_key)


def _doctor_options(commands: Commands) -> None:
    doctor = commands.add_parser("doctor", help="what this machine can do, and how to mend what is missing")
    doctor.add_argument("--quick", action="store_true", help="do not load the model to measure its speed")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor)


def _serve(args: argparse.Namespace) -> int:
    from reverie.models import licence, registry
    from reverie.server import loading
    from reverie.server.listening import CannotListen, listen
    from reverie.server.settings import Settings, from_environment

    names = ("host", "port", "lan", "tls_cert", "tls_key", "model", "device", "max_sessions", "effects")
    settings = from_environment(**{name: getattr(args, name) for name in names})
    registry.check(settings.model_source, settings.device)
    if notice := licence.notice(settings.model_source):
        print(notice, file=sys.stderr, flush=True)
    if settings.lan and settings.host == Settings().host:
        settings = replace(settings, host="0.0.0.0")
    try:
        listening = listen(settings.host, settings.port)
    except CannotListen as error:
        print(f"reverie serve: {error}", file=sys.stderr)
        return BAD_INPUT
    with listening:
        begun = loading.begin(settings)
        from reverie.server.serve import serve

        serve(settings, listening, begun)
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
