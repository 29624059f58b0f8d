"""The HTTP API comes after the first visitor's needs."""

import subprocess
import sys

from starlette.testclient import TestClient

from reverie.server.app import make
from reverie.server.later_api import LaterApi
from reverie.server.settings import Settings


def test_it_is_there_when_it_is_asked_however_early() -> None:
    app = make(Settings(model="toy"))
    with TestClient(app, base_url="http://127.0.0.1:8080") as client:
        assert client.get("/v1/sessions").status_code == 200
    api: LaterApi = app.state.api
    assert api.made() is api.made()


def test_a_server_begins_without_it() -> None:
    code = "import sys, reverie.server.serve; print(*{'fastapi', 'pydantic'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
