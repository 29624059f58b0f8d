"""Simulcast and codecs in answers."""

from dataclasses import dataclass, field

import aiortc.codecs as codecs

from reverie.server import livekit_sdp as s

OFFER = (
    "v=0\r\nm=audio 9 x\r\na=mid:0\r\nm=video 9 x\r\na=mid:1\r\na=recvonly\r\nm=video 9 x\r\na=mid:2\r\na=sendonly\r\n"
    "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send {layers}\r\n"
)
ANSWER = "v=0\r\nm=audio 9 x\r\na=mid:0\r\nm=video 9 x\r\na=mid:1\r\nm=video 9 x\r\na=mid:2\r\na=recvonly\r\n"


def test_of_several_layers_the_top_one_is_taken_and_no_other() -> None:
    for layers, top in (("q;h;f", "f"), ("f;h;q", "f"), ("q;~h", "h"), ("a;b;c,d", "c")):
        taken = s.take_top_layer(OFFER.format(layers=layers), ANSWER)
        assert taken == ANSWER + f"a=rid:{top} recv\r\na=simulcast:recv {top}\r\n"


def test_without_layers_and_in_refused_sections_nothing_changes() -> None:
    plain = OFFER.replace("a=simulcast:send {layers}\r\n", "")
    assert s.take_top_layer(plain, ANSWER) == ANSWER
    refused = ANSWER.replace("a=recvonly", "a=inactive")
    assert s.take_top_layer(OFFER.format(layers="q;h;f"), refused) == refused


def test_the_extensions_that_name_layers_are_accepted_once() -> None:
    s.accept_rids()
    s.accept_rids()
    uris = [each.uri for each in codecs.HEADER_EXTENSIONS["video"]]
    assert uris.count(s.RID) == uris.count(s.REPAIRED_RID) == 1
    ids = [each.id for each in codecs.HEADER_EXTENSIONS["video"]]
    assert len(set(ids)) == len(ids)


@dataclass
class Codec:
    mimeType: str
    payloadType: int
    parameters: dict[str, int] = field(default_factory=dict)


def test_a_preferred_codec_comes_first_with_its_retransmission() -> None:
    known = [
        Codec("video/VP8", 96), Codec("video/rtx", 97, {"apt": 96}), Codec("video/H264", 98), Codec("video/rtx", 99, {"apt": 98})
    ]  # fmt: skip
    order = lambda name: [each.payloadType for each in s.prefer(known, name)]
    assert order("h264") == [98, 99, 96, 97]
    assert order("VP8") == [96, 97, 98, 99]
    assert order("VP9") == [96, 97, 98, 99]
