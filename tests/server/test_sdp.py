"""Offers of WHIP and WHEP, and trickle fragments."""

from contextlib import suppress

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from hypothesis import given
from hypothesis import strategies as st

from reverie.server.sdp import Unacceptable, check_play, check_publish, parse_fragment


async def offer(*lines: tuple[str, str]) -> str:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind, direction in lines:
        peer.addTransceiver(kind, direction=direction)
    made = (await peer.createOffer()).sdp
    await peer.close()
    return made


async def test_what_sends_may_be_published_and_what_receives_may_be_played() -> None:
    for direction, right, wrong in (("sendonly", check_publish, check_play), ("recvonly", check_play, check_publish)):
        sdp = await offer(("audio", direction), ("video", direction))
        assert f"a=ice-ufrag:{right(sdp)}" in sdp
        with pytest.raises(Unacceptable):
            wrong(sdp)
    both = await offer(("video", "sendrecv"))
    assert check_publish(both) == check_play(both)


@pytest.mark.parametrize("kinds", [("audio",), ("video", "video"), ("audio", "audio", "video")])
async def test_one_video_and_at_most_one_audio(kinds: tuple[str, ...]) -> None:
    with pytest.raises(Unacceptable, match="one video"):
        check_publish(await offer(*((kind, "sendonly") for kind in kinds)))


async def test_media_must_be_bundled_multiplexed_and_of_one_stream() -> None:
    sdp = await offer(("audio", "sendonly"), ("video", "sendonly"))
    with pytest.raises(Unacceptable, match="BUNDLE"):
        check_publish(sdp.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"))
    with pytest.raises(Unacceptable, match="rtcp-mux"):
        check_publish(sdp.replace("a=rtcp-mux\r\n", ""))
    first, second, third = sdp.split("m=")
    streams = f"{first}m={second}a=msid:one x\r\nm={third}a=msid:two y\r\n"
    with pytest.raises(Unacceptable, match="one stream"):
        check_publish(
            "\r\n".join(line for line in streams.split("\r\n") if "a=msid:" not in line or line.endswith((" x", " y")))
        )


@given(st.text())
def test_nonsense_is_a_value_error(text: str) -> None:
    for read in (check_publish, check_play, parse_fragment):
        with suppress(ValueError, Unacceptable):
            read("v=0" + text)


def test_candidates_of_a_fragment_belong_to_the_line_before_them() -> None:
    text = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 2 192.0.2.1 9 typ host\r\n"
    text += "m=video 9 RTP/AVP 0\r\na=mid:1\r\na=candidate:2 1 udp 2 192.0.2.2 9 typ host\r\na=end-of-candidates\r\n"
    fragment = parse_fragment(text)
    assert (fragment.ufrag, fragment.password) == ("abcd", "p" * 22)
    assert [(mid, candidate.split()[4]) for mid, candidate in fragment.candidates] == [
        ("0", "192.0.2.1"),
        ("1", "192.0.2.2"),
    ]
    for wrong in ("", "a=mid:0", "a=ice-ufrag:abcd\nnonsense", "a=ice-ufrag:abcd\na=ice-pwd:short"):
        with pytest.raises(ValueError):
            parse_fragment(wrong)
