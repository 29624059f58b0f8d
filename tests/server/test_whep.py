"""Watching is limited; that it works is in test_whip.py and test_viewer.py."""

import asyncio
import sys
from pathlib import Path

from aiortc import RTCConfiguration, RTCPeerConnection
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig.whip import offer_of

from reverie.server.app import make
from reverie.server.settings import Settings

SDP = {"content-type": "application/sdp"}


async def offers() -> tuple[str, str]:
    made = []
    for sends in (True, False):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        made.append(await offer_of(peer, sends))
        await peer.close()
    return made[0], made[1]


def test_a_session_has_so_many_viewers_and_says_so_to_the_next() -> None:
    publish, watch = asyncio.run(offers())
    with TestClient(make(Settings(model="toy", max_viewers=2)), base_url="http://127.0.0.1:8080") as client:
        while client.get("/readyz").status_code != 200:
            pass
        assert client.post("/whip?session=a", content=publish, headers=SDP).status_code == 201
        views = [client.post("/whep/a", content=watch, headers=SDP) for _ in range(3)]
        assert [view.status_code for view in views] == [201, 201, 503]
        assert "2 viewers" in views[2].json()["error"] and views[2].headers["retry-after"]
        assert client.delete(views[0].headers["location"]).status_code == 200
        assert client.post("/whep/a", content=watch, headers=SDP).status_code == 201
        assert client.post("/whep/a", content=publish, headers=SDP).status_code == 422
        assert client.put("/whep/a").status_code == 405
    asyncio.set_event_loop(None)
