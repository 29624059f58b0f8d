"""RFC 9725 clause by clause, with a real server and aiortc as the publisher; other programs are in test_whip_programs.py."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aioice.ice import CandidatePair
from aiortc import RTCConfiguration, RTCPeerConnection
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig.whip import CAMERA, call, offer_of

from reverie.server.app import make
from reverie.server.errors import Elsewhere
from reverie.server.settings import Settings

INVERTED, RED, BLUE = (55, 195, 195), (55, 39, 39), (11, 39, 195)
SDP = {"content-type": "application/sdp"}
FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}


@pytest.fixture
async def sdp() -> AsyncIterator[str]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield await offer_of(peer, sends=True)
    await peer.close()


@pytest.fixture
async def http(server: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def test_a_session_is_fed_by_whip_and_watched_by_whep(server: Any, http: httpx.AsyncClient) -> None:
    async with call(server.url, "/whip?prompt=invert", sends=True) as publisher:
        created = publisher.created
        assert created.headers["content-type"] == "application/sdp"
        assert re.fullmatch(r"/whip/r/[\w-]{24}", publisher.location)
        assert re.fullmatch(r'"\w+"', created.headers["etag"])
        assert created.text.count("a=recvonly") == 2 and "a=candidate" in created.text
        session = created.headers["reverie-session"]
        async with (
            call(server.url, f"/whep/{session}", sends=False) as one,
            call(server.url, f"/whep/{session}", sends=False) as other,
        ):
            assert one.created.text.count("a=sendonly") == 2
            await one.sees(INVERTED)
            await other.sees(INVERTED)
            assert (await http.post(f"/v1/sessions/{session}/prompt", json={"prompt": "blue"})).status_code == 200
            await one.sees(BLUE)
            await other.sees(BLUE)
            assert one.sounds
    assert (await http.head(f"/whep/{session}")).status_code == 404
    assert server.metrics()["viewers"] == 0


async def test_without_a_prompt_the_camera_is_shown_and_a_name_may_be_asked_for(
    server: Any, http: httpx.AsyncClient
) -> None:
    async with call(server.url, "/whip?session=studio&strength=0.5&seed=3", sends=True):
        head = await http.head("/whep/studio")
        assert head.status_code == 200 and head.headers["content-type"] == "application/sdp"
        async with call(server.url, "/whep/studio", sends=False) as viewer:
            await viewer.sees(CAMERA)
            async with (
                call(server.url, "/whip?session=studio&prompt=red", sends=True),  # takes over
                call(server.url, "/whep/studio", sends=False) as again,
            ):
                await again.sees(RED)


async def test_delete_frees_the_place_and_ends_its_viewers(server: Any, http: httpx.AsyncClient) -> None:
    async with call(server.url, "/whip?session=gone", sends=True) as publisher:
        async with call(server.url, "/whep/gone", sends=False) as viewer:
            await viewer.sees(CAMERA)
            deleted = await http.delete(publisher.location)
            assert deleted.status_code == 200
            assert server.metrics()["sessions"] == 0
            for _ in range(100):
                if (await http.delete(viewer.location)).status_code == 404:
                    break
                await asyncio.sleep(0.02)
        assert (await http.delete(publisher.location)).status_code == 404
        assert server.metrics()["viewers"] == 0


async def test_a_publisher_that_hangs_up_without_delete_frees_its_place(server: Any, http: httpx.AsyncClient) -> None:
    async with call(server.url, "/whip?session=rude", sends=True) as publisher:
        async with call(server.url, "/whep/rude", sends=False) as viewer:
            await viewer.sees(CAMERA)
        await publisher.peer.close()
        for _ in range(200):
            if (await http.head("/whep/rude")).status_code == 404:
                break
            await asyncio.sleep(0.02)
        assert server.metrics()["sessions"] == 0


async def test_candidates_trickle_and_those_of_another_user_are_refused(server: Any, http: httpx.AsyncClient) -> None:
    async with call(server.url, "/whip", sends=True) as publisher:
        etag, where = publisher.created.headers["etag"], publisher.location
        ufrag = re.search(r"a=ice-ufrag:(\S+)", publisher.peer.localDescription.sdp)
        assert ufrag
        lines = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
        lines += "a=candidate:2 1 tcp 1 x.invalid 9 typ host tcptype active\r\na=end-of-candidates\r\n"
        own = f"a=ice-ufrag:{ufrag[1]}\r\na=ice-pwd:{'p' * 24}\r\n{lines}"
        done = await http.patch(where, content=own, headers=FRAGMENT | {"if-match": f'"older", {etag}'})
        assert done.status_code == 204 and "etag" not in done.headers
        cases = [
            (own, FRAGMENT, 428),
            (own, FRAGMENT | {"if-match": '"old"'}, 412),
            (own, SDP | {"if-match": etag}, 415),
            ("nonsense", FRAGMENT | {"if-match": etag}, 400),
            (f"a=ice-ufrag:another\r\n{lines}", FRAGMENT | {"if-match": "*"}, 422),
        ]
        for body, headers, status in cases:
            assert (await http.patch(where, content=body, headers=headers)).status_code == status, (headers, status)
        got = await http.get(where)
        assert (got.status_code, got.content, got.headers["etag"]) == (204, b"", etag)
        assert (await http.put(where)).status_code == 405
    assert (await http.patch("/whip/r/unknown", content=own, headers=FRAGMENT | {"if-match": etag})).status_code == 404


async def test_new_credentials_restart_ice_and_the_picture_goes_on(server: Any, http: httpx.AsyncClient) -> None:
    feed = call(server.url, "/whip?session=moves", sends=True)
    async with feed as publisher, call(server.url, "/whep/moves", sends=False) as viewer:
        await viewer.sees(CAMERA)
        etag, where = publisher.created.headers["etag"], publisher.location
        ice = publisher.peer.getTransceivers()[0].sender.transport.transport._connection
        before = ice.remote_username
        ice._local_username, ice._local_password = "fresh", "f" * 22
        text = f"a=ice-ufrag:fresh\r\na=ice-pwd:{'f' * 22}\r\n"
        done = await http.patch(where, content=text, headers=FRAGMENT | {"if-match": "*"})
        assert done.status_code == 200 and done.headers["content-type"] == FRAGMENT["content-type"]
        assert done.headers["etag"] not in ("", etag) and done.text.count("a=candidate:") >= 1
        told = dict(line.split(":", 1) for line in done.text.splitlines() if line.startswith("a=ice-"))
        assert told["a=ice-ufrag"] != before
        ice.remote_username, ice.remote_password = told["a=ice-ufrag"], told["a=ice-pwd"]
        async with asyncio.timeout(30):
            await ice.check_start(pair := next(iter(ice._nominated.values())))
        assert pair.state is CandidatePair.State.SUCCEEDED
        stale = await http.patch(where, content=text, headers=FRAGMENT | {"if-match": etag})
        assert stale.status_code == 412
        await viewer.sees(CAMERA)


async def test_a_viewer_cannot_be_ended_by_the_address_of_a_publisher(server: Any, http: httpx.AsyncClient) -> None:
    async with call(server.url, "/whip", sends=True) as publisher:
        assert (await http.delete(publisher.location.replace("/whip/", "/whep/"))).status_code == 404


async def test_what_cannot_be_served_is_refused_with_a_sentence(server: Any, http: httpx.AsyncClient, sdp: str) -> None:
    cases: list[tuple[str, Any, dict[str, str], int]] = [
        ("/whip", sdp, {"content-type": "text/plain"}, 415),
        ("/whip", "", SDP, 400),
        ("/whip", b"v=0\xff", SDP, 400),
        ("/whip", "v=0\r\n" + "a" * 200_000, SDP, 413),
        ("/whip", sdp.replace("a=sendonly", "a=recvonly"), SDP, 422),
        ("/whip", re.sub("VP8/|H264/", "AV1/", sdp), SDP, 422),
        ("/whip?strength=2", sdp, SDP, 400),
        ("/whip?session=no/way", sdp, SDP, 400),
        ("/whip?model=other", sdp, SDP, 404),
        ("/whep/nobody", sdp, SDP, 404),
    ]
    for path, body, headers, status in cases:
        answer = await http.post(path, content=body, headers=headers)
        assert answer.status_code == status, (path, status, answer.text)
        assert answer.json()["error"] and answer.json()["error_type"]
    assert (await http.put("/whip")).status_code == 405
    assert (await http.get("/whip")).content == b""
    assert server.metrics()["sessions"] == 0


async def test_a_full_server_says_when_to_try_again(server: Any, http: httpx.AsyncClient, sdp: str) -> None:
    async with (
        call(server.url, "/whip", sends=True),
        call(server.url, "/whip", sends=True),
        call(server.url, "/whip", sends=True),
    ):
        answer = await http.post("/whip", content=sdp, headers=SDP)
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert answer.json()["error_type"] == "at_capacity"


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[tuple[TestClient, str, str]]:
    """A server with two tenants, a TURN server to tell of, and their keys."""
    from reverie.server.access import new_key

    (one, line), (two, other) = new_key("one"), new_key("two")
    (tmp_path / "keys").write_text(f"{line}\n{other}\n")
    settings = Settings(
        model="toy",
        api_keys_file=str(tmp_path / "keys"),
        data=str(tmp_path),
        ice_servers=("turn:192.0.2.1",),
        turn_secret="s",
    )
    with TestClient(make(settings), base_url="http://127.0.0.1:8080") as client:
        while client.get("/readyz").status_code != 200:
            pass
        yield client, one, two
    asyncio.set_event_loop(None)


def test_a_bearer_is_needed_where_keys_are_and_another_tenant_finds_nothing(
    keyed: tuple[TestClient, str, str], sdp: str
) -> None:
    client, one, two = keyed
    client.app.state.node.settings = Settings(model="toy")  # type: ignore[attr-defined]  no TURN server is there to gather from
    refused = client.post("/whip", content=sdp, headers=SDP)
    assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
    mine, others = {"authorization": f"Bearer {one}"}, {"authorization": f"Bearer {two}"}
    created = client.post("/whip?session=mine", content=sdp, headers=SDP | mine)
    assert created.status_code == 201
    for path in ("/whep/mine", created.headers["location"]):
        assert client.head(path, headers=others).status_code == 404
        assert client.head(path, headers=mine).status_code in (200, 204)
    assert client.post("/v1/sessions/mine/prompt", json={"prompt": "red"}, headers=others).status_code == 404
    assert client.post("/whip?session=mine", content=sdp, headers=SDP | others).status_code == 409
    assert client.delete(created.headers["location"], headers=mine).status_code == 200


def test_another_node_with_a_place_is_a_redirect_that_keeps_the_query(
    keyed: tuple[TestClient, str, str], sdp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, one, _ = keyed

    def admit(*_: Any) -> Any:
        raise Elsewhere("http://127.0.0.1:9/")

    monkeypatch.setattr(client.app.state.node, "admit", admit)  # type: ignore[attr-defined]
    headers = SDP | {"authorization": f"Bearer {one}"}
    answer = client.post("/whip?prompt=red", content=sdp, headers=headers, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:9/whip?prompt=red")
