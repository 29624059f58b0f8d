"""The reference pages of the documentation, made from the code: python -m reverie.server.reference FOLDER."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from starlette.datastructures import State
from starlette.routing import Route, WebSocketRoute

from reverie.client import protocol
from reverie.server import api, app
from reverie.server.settings import Settings

COMMENT = re.compile(r"^    (\w+): .*?  # (.*)$", re.M)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in (("http", http()), ("messages", messages()), ("settings", settings())):
        (folder / f"{name}.md").write_text(page, encoding="utf-8")


def settings() -> str:
    """Every setting, from server/settings.py."""
    said = dict(COMMENT.findall(inspect.getsource(Settings)))
    rows = (
        (f"`REVERIE_{field.name.upper()}`", _shown(field.default), said.get(field.name, ""))
        for field in dataclasses.fields(Settings)
    )
    lead = "Read once at the start from the environment, or from flags of `reverie serve`, which win (`--help`)."
    return f"# Settings\n\n{lead}\n\n{_table(('setting', 'default', 'what it is'), rows)}"


def messages() -> str:
    """What is said on /v1/stream, from client/protocol.py."""
    lead = (
        "One WebSocket, `/v1/stream`, is one session. Messages are JSON objects with a `type`. A client says what the "
        "picture shall look like, then offers its camera; trickled candidates go both ways. Messages of the server "
        "that are not known may be ignored; one of a client that is malformed is answered with `error`, `error_type` "
        "`bad_request`, and nothing is lost."
    )
    parts = [f"# Messages of the WebSocket\n\n{lead}\n"]
    for title, union in (("From the client", protocol.FromClient), ("From the server", protocol.FromServer)):
        parts.append(f"## {title}\n")
        parts.extend(_message(each) for each in typing.get_args(union))
    return "\n".join(parts)


def _message(kind: Any) -> str:
    said = dict(COMMENT.findall(inspect.getsource(kind)))
    text = inspect.cleandoc(kind.__doc__ or "")
    text = "" if text.startswith(f"{kind.__name__}(") else text.replace("\n\n", "\n")
    rows = [
        (
            f"`{field.name}`",
            f"`{str(field.type).replace(' | ', ' or ')}`",
            _shown(field.default),
            said.get(field.name, ""),
        )
        for field in dataclasses.fields(kind)
    ]
    table = _table(("field", "type", "default", "what it is"), rows) if rows else "No fields.\n"
    return f"### {kind.type}\n\n{text}\n\n{table}"


def http() -> str:
    """Every route: those of the OpenAPI document, and the others by their docstrings."""
    document = api.make(State()).openapi()
    lead = (
        "The server describes its API at `/openapi.json`; this page is made from the same code. With keys "
        "(`REVERIE_API_KEYS_FILE`) or `--lan`, "
        'requests carry one in the header `X-API-KEY`; failures answer `{"detail", "error", "error_type"}`.'
    )
    parts = [f"# HTTP\n\n{lead}\n"]
    for path, operations in document["paths"].items():
        parts.extend(_operation(path, method.upper(), each, document) for method, each in operations.items())
    rows = []
    for route in app.make(Settings()).routes:
        if isinstance(route, Route | WebSocketRoute) and (text := inspect.getdoc(route.endpoint)):
            rows.append(
                (f"`{route.path}`", "WebSocket" if isinstance(route, WebSocketRoute) else "HTTP", text.split("\n\n")[0])
            )
    parts.append(f"## Media, pages and health\n\n{_table(('address', '', 'what it does'), rows)}")
    return "\n".join(parts)


def _operation(path: str, method: str, said: dict[str, Any], document: dict[str, Any]) -> str:
    text = said.get("description") or said.get("summary", "")
    parts = [f"## {method} {path}\n", f"{text}\n"]
    for kind, body in said.get("requestBody", {}).get("content", {}).items():
        rows = _fields(body["schema"], document)
        parts.append(f"Body, `{kind}`:\n\n{_table(('field', 'type', 'needed'), rows)}")
    good = [status for status in said["responses"] if status.startswith("2")]
    parts.append(f"Answers {' or '.join(good)}.\n")
    return "\n".join(parts)


def _fields(schema: dict[str, Any], document: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    schema = _resolved(schema, document)
    for name, each in schema.get("properties", {}).items():
        yield f"`{name}`", f"`{_kind(each, document)}`", "yes" if name in schema.get("required", ()) else ""


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return dict(document["components"]["schemas"][name]) if name else schema


def _kind(schema: dict[str, Any], document: dict[str, Any]) -> str:
    if options := schema.get("anyOf"):
        return " or ".join(_kind(each, document) for each in options)
    schema = _resolved(schema, document)
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}), document)}"
    if kind == "object" and (inside := schema.get("properties")):
        return "{" + ", ".join(inside) + "}"
    return str(kind)


def _shown(default: object) -> str:
    if default is dataclasses.MISSING:
        return ""
    text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"`{text or 'none'}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    clean = lambda cell: cell.replace("|", "\\|").replace("\n", " ")
    lines = [head, tuple("---" for _ in head), *(tuple(map(clean, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
