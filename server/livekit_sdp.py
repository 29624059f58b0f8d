"""What an SDP answer of ours needs for LiveKit's clients; pure text but for `accept_rids`.

A browser that offers simulcast and gets a plain answer sends its first, lowest layer (320x180).  We take the top one
alone: RFC 8853, with the layers' names of RFC 8851.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import aiortc.codecs as codecs
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters

RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
IDS = {RID: 10, REPAIRED_RID: 11}
TOP = "f"  # LiveKit's layers are q, h and f: quarter, half, full


def accept_rids() -> None:
    """Let aiortc accept the extensions that name layers.  Chromium wants them in every video section, or none works."""
    known = codecs.HEADER_EXTENSIONS["video"]
    present = {each.uri for each in known}
    known += [RTCRtpHeaderExtensionParameters(id=number, uri=uri) for uri, number in IDS.items() if uri not in present]


def take_top_layer(offer: str, answer: str) -> str:
    """The answer with the highest layer of every simulcast section accepted, and no other."""
    head, *answered = _sections(answer)
    for number, section in enumerate(_sections(offer)[1:]):
        sent = re.search(r"^a=simulcast:send (\S+)", section, re.M)
        if sent and number < len(answered) and "a=inactive" not in answered[number]:
            layers = [layer.split(",")[0].lstrip("~") for layer in sent[1].split(";")]
            top = TOP if TOP in layers else layers[-1]
            answered[number] = answered[number].rstrip("\r\n") + f"\r\na=rid:{top} recv\r\na=simulcast:recv {top}\r\n"
    return head + "".join(answered)


def _sections(sdp: str) -> list[str]:
    return re.split(r"(?m)^(?=m=)", sdp)


def prefer(known: Sequence[Any], codec: str) -> list[Any]:
    """aiortc's codecs of a section, those of a name ("H264") first, each with its retransmission."""
    named = {each.payloadType for each in known if each.mimeType.lower() == f"video/{codec.lower()}"}
    return sorted(known, key=lambda each: each.payloadType not in named and each.parameters.get("apt") not in named)
