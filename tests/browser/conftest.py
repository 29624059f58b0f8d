"""One Chromium and one server per model for all browser tests; the rig is in tests/rig."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

if not importlib.util.find_spec("playwright"):
    collect_ignore_glob = ["test_*.py"]  # the extra reverie[test] is not installed
else:
    from playwright.sync_api import Browser, Page
    from rig.browser import chromium, launch, watched_page
    from rig.clip import Unreachable, camera_clip
    from rig.node import Node, serve

    @pytest.fixture(scope="session")
    def browser() -> Iterator[Browser]:
        try:
            chromium()
            camera_clip()
        except (FileNotFoundError, Unreachable) as missing:
            pytest.skip(str(missing))
        with launch() as browser:
            yield browser

    @pytest.fixture(scope="session")
    def toy() -> Iterator[Node]:
        with serve("toy") as node:
            yield node

    @pytest.fixture(scope="session")
    def nano() -> Iterator[Node]:
        from reverie.models import registry

        try:
            registry.load("nano")
        except (FileNotFoundError, ImportError) as missing:
            pytest.skip(f"nano cannot be loaded: {missing}")
        with serve("nano") as node:
            yield node

    @pytest.fixture(params=["toy", "nano"])
    def node(request: pytest.FixtureRequest) -> Node:
        served: Node = request.getfixturevalue(request.param)
        return served

    @pytest.fixture
    def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
        """Opens the camera page of a node, watched, with or without stamps in its camera."""
        pages: list[Page] = []

        def opened(node: Node, *, stamped: bool = False) -> Page:
            page = watched_page(browser, stamped=stamped)
            pages.append(page)
            page.goto(node.url)
            return page

        yield opened
        for page in pages:
            page.context.close()
