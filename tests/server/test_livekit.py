"""LiveKit's signalling, from a client on aiortc that uses LiveKit's own messages."""

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from aiortc.mediastreams import AudioStreamTrack
from livekit.protocol import models, rtc

sys.path.append(str(Path(__file__).resolve().parents[1]))
from rig.livekit_client import RoomClient, room_of

from reverie.server.livekit import MAX_JOIN, read_join

INVERTED = (55, 195, 195)


@asynccontextmanager
async def control(server: Any, query: str = "model=lucy-2.5&api_key=k") -> Any:
    url = f"{server.url.replace('http', 'ws')}/v1/stream?{query}"
    async with websockets.connect(url) as socket:
        yield socket


def near(colour: Any, wanted: tuple[int, int, int]) -> bool:
    return bool(abs(colour - wanted).max() < 25)


async def watching(server: Any, room: dict[str, Any]) -> RoomClient:
    viewer = RoomClient(server.url, server.post(f"/watch-stream/{room['room_name']}")["token"], True)
    await viewer.join()
    return viewer


def _said(client: RoomClient, kind: str) -> Any:
    return next(each for each in client.told if each.WhichOneof("message") == kind)


@pytest.mark.parametrize("single", [True, False])
async def test_camera_in_styled_picture_and_sound_back(server: Any, camera: Any, single: bool) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket, {"type": "prompt", "prompt": "invert", "enhance_prompt": False})
        client = RoomClient(server.url, room["token"], single)
        await client.join()
        try:
            await client.until(lambda: client.heard("join"))
            (join,) = client.heard("join")
            (host,) = join.other_participants
            assert host.identity.startswith("inference-server-") and join.participant.sid.startswith("PA_")
            assert (join.subscriber_primary, join.ping_interval > 0) == (not single, True)
            assert client.told[0].WhichOneof("message") == "join"
            await client.publish([camera(), AudioStreamTrack()])
            await client.until(lambda: client.colours and near(client.colours[-1], INVERTED))
            published = client.heard("track_published")
            assert [each.cid for each in published] == ["c0", "c1"]
            (update,) = client.heard("update")
            assert {each.type for each in update.participants[0].tracks} == {models.VIDEO, models.AUDIO}
            await client.until(lambda: sorted(set(client.kinds)) == ["audio", "video"])
            if single:
                answers = client.heard("answer")
                assert [each.id for each in answers] == [1, 2]
                assert set(answers[1].mid_to_track_id.values()) == {each.sid for each in update.participants[0].tracks}
                assert f"a=msid:{host.sid}|{host.tracks[0].sid} {host.tracks[0].sid}" in answers[1].sdp
                assert "x-google-start-bitrate=3500" in answers[1].sdp
            assert client.size == (320, 240)
        finally:
            await client.close()


async def test_a_viewer_sees_what_the_publisher_sees_and_sends_nothing(server: Any, camera: Any) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket, {"type": "prompt", "prompt": "green", "enhance_prompt": False})
        host = RoomClient(server.url, room["token"], True)
        await host.join()
        await host.publish([camera()])
        await host.until(lambda: host.colours)
        watch = server.post(f"/watch-stream/{room['room_name']}")
        assert watch["room_name"] == room["room_name"] and watch["token"] != room["token"]
        viewer = RoomClient(server.url, watch["token"], True)
        await viewer.join()
        await viewer.until(lambda: viewer.colours)
        (join,) = viewer.heard("join")
        assert not join.participant.permission.can_publish
        await viewer.close()
        count = len(host.colours)
        await host.until(lambda: len(host.colours) > count + 5)
        await host.close()


async def test_pings_are_answered_and_nonsense_is_left_out(server: Any) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket)
        client = RoomClient(server.url, room["token"], True)
        await client.join()
        await client.socket.send(b"\xff\xff\xff")
        await client.socket.send("text")
        await client.send(trickle=rtc.TrickleRequest(candidateInit="{"))
        await client.send(trickle=rtc.TrickleRequest(candidateInit='{"candidate": "x"}'))
        await client.send(ping_req=rtc.Ping(timestamp=42))
        await client.send(ping=7)
        await client.until(lambda: client.heard("pong_resp") and client.heard("pong"))
        assert client.heard("pong_resp")[0].last_ping_timestamp == 42
        await client.close()


@pytest.mark.parametrize("single", [True, False])
async def test_who_loses_the_signalling_alone_goes_on_where_it_was(server: Any, camera: Any, single: bool) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket, {"type": "prompt", "prompt": "invert", "enhance_prompt": False})
        host, viewer = RoomClient(server.url, room["token"], single), await watching(server, room)
        await host.join()
        await host.publish([camera()])
        await host.until(lambda: host.colours and viewer.colours)
        for client in (host, viewer):
            (join,) = client.heard("join")
            client.socket.transport.abort()
            await client.resume(join.participant.sid)
            await client.until(lambda client=client: client.heard("reconnect"))
            assert client.told[client.told.index(_said(client, "reconnect")) + 1].WhichOneof("message") == "update"
            await client.send(ping=7)
            count = len(client.colours)
            await client.until(
                lambda client=client, count=count: client.heard("pong") and len(client.colours) > count + 3
            )
            assert len(client.heard("join")) == 1 and not client.heard("leave")
            assert near(client.colours[-1], INVERTED)
        await viewer.close()
        await host.close()


async def test_who_was_away_for_too_long_or_is_somebody_else_must_connect_anew(server: Any) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket)
        viewer = await watching(server, room)
        await viewer.until(lambda: viewer.heard("join"))
        strangers = [
            (room["token"], "PA_none"),
            (room["token"], ""),
            (room["token"], viewer.heard("join")[0].participant.sid),
        ]
        for token, sid in strangers:
            for single in (True, False):
                client = RoomClient(server.url, token, single)
                await client.resume(sid)
                await client.until(lambda client=client: client.heard("leave"))
                assert client.heard("leave")[0].action == rtc.LeaveRequest.Action.DISCONNECT
                await client.close(goodbye=False)
        await viewer.close()


async def test_a_publisher_that_joins_again_goes_on_in_its_session(server: Any, camera: Any) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket, {"type": "prompt", "prompt": "invert", "enhance_prompt": False})
        for _ in range(2):
            client = RoomClient(server.url, room["token"], True)
            await client.join()
            await client.publish([camera()])
            await client.until(lambda client=client: client.colours and near(client.colours[-1], INVERTED))
            await client.close(goodbye=False)


async def test_the_end_of_the_session_ends_the_room(server: Any) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket)
        client = RoomClient(server.url, room["token"], True)
        await client.join()
        await client.until(lambda: client.heard("answer"))
    await client.until(lambda: client.heard("leave"))
    assert client.heard("leave")[0].action == rtc.LeaveRequest.Action.DISCONNECT
    await client.close(goodbye=False)
    again = RoomClient(server.url, room["token"], True)
    with pytest.raises(websockets.InvalidStatus) as refused:
        await again.join()
    assert refused.value.response.status_code == 410
    await again.main.close()


async def test_an_offer_of_other_codecs_is_refused_in_words_on_both_sockets(server: Any) -> None:
    async with control(server) as socket:
        room, _ = await room_of(socket)
        client = RoomClient(server.url, room["token"], True)
        await client.join()
        await client.until(lambda: client.heard("answer"))
        sdp = client.main.localDescription.sdp.replace("VP8", "VP9").replace("H264", "AV1")
        await client.send(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=2))
        await client.until(lambda: client.heard("leave"))
        told = []
        while not told or told[-1]["type"] != "error":
            told.append(json.loads(await socket.recv()))
        assert "H.264 and VP8" in told[-1]["error"]
        await client.close(goodbye=False)


def test_the_way_in_says_why_it_is_closed(server: Any) -> None:
    status, text = server.get("/rtc/v1/validate?access_token=no")
    assert status == 410 and "over" in text


@pytest.mark.parametrize("text", ["", "%%%", "AAAA", "CAESAA==", "a" * 5000])
def test_a_join_request_that_cannot_be_read_is_a_value_error_or_empty(text: str) -> None:
    try:
        assert not read_join(text).publisher_offer.sdp
    except ValueError as error:
        assert "join_request" in str(error)


def test_a_join_request_that_grows_without_end_is_refused() -> None:
    import base64
    import gzip

    bomb = rtc.WrappedJoinRequest(compression=1, join_request=gzip.compress(b"\0" * (MAX_JOIN + 1)))
    with pytest.raises(ValueError, match="more than"):
        read_join(base64.b64encode(bomb.SerializeToString()).decode())
