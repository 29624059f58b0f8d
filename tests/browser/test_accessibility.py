"""The camera page for everybody: Lighthouse's score of it at rest, and the rules of axe while it runs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from rig.browser import chromium, until
from rig.node import Node
from rig.npm import installed

PACKAGE = Path(__file__).parents[1] / "lighthouse" / "package.json"


@pytest.fixture(scope="module")
def modules() -> Path:
    return installed(PACKAGE) / "node_modules"


def test_lighthouse_gives_at_least_95(toy: Node, modules: Path, browser: Browser) -> None:
    command = [
        "node", str(modules / "lighthouse" / "cli" / "index.js"), toy.url, "--quiet", "--output=json",
        "--only-categories=accessibility", "--throttling-method=provided",
        "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
    ]  # fmt: skip
    environment = {**os.environ, "CHROME_PATH": chromium()}
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, env=environment)
    assert done.returncode == 0, done.stderr[-1000:]
    report = json.loads(done.stdout)
    wrong = [each["title"] for each in report["audits"].values() if each["score"] == 0]
    assert report["categories"]["accessibility"]["score"] >= 0.95, wrong


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_while_it_runs(toy: Node, modules: Path, browser: Browser, colours: Any, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=colours)
    page = context.new_page()
    page.goto(toy.url)
    page.click("#start")
    until(page, "document.querySelector('#figures').textContent.includes('fps')", limit_s=60)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = violations(page, (modules / "axe-core" / "axe.min.js").read_text())
    context.close()
    assert found == []


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    said = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in said["violations"]]
