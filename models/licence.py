"""Under which licence a model's folder came, and whether that allows its use for money."""

from __future__ import annotations

import re
from pathlib import Path

from reverie.models.diffusion import catalogue

UNKNOWN = "unknown"
FORBIDS = re.compile(r"(^|[-_ ])nc($|[-_ ])|non-?commercial|research", re.IGNORECASE)


def of(folder: Path) -> str:
    """The licence as the folder's README names it, else as the catalogue does."""
    readme = folder / "README.md"
    text = readme.read_text("utf-8-sig", errors="replace") if readme.is_file() else ""
    head = re.match(r"---\n(.*?)\n---", text, re.S)
    entry = r"^(license|license_name):\s*(?:- +|\[ *)?['\"]?([^\s'\"#\],]+)"
    named = dict(re.findall(entry, head[1], re.M)) if head else {}
    if found := named.get("license_name") or named.get("license"):
        return str(found)
    known = catalogue.known(folder.name.replace("--", "/"))
    return known.licence if known else UNKNOWN


def forbids(licence: str) -> bool:
    """Whether it forbids use for money, as far as its name says."""
    return bool(FORBIDS.search(licence))


def notice(model: str) -> str:
    """What is to be said when a model starts: "" for those of ours and those that may be used for anything."""
    folder = Path(model)
    if not folder.is_dir():
        return ""
    licence, name = of(folder), folder.name
    if forbids(licence):
        return f"{name} is under {licence}: it may not be used commercially without a licence of its makers"
    if licence in (UNKNOWN, "other"):
        return f"{name} does not say its licence: see what its makers allow before you use it commercially"
    return ""
