"""What WHIP and WHEP ask of an offer, and the fragments that trickle candidates.  Pure.  Source: RFC 9725, RFC 8840."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aiortc.sdp import SessionDescription

UFRAG, PASSWORD = re.compile(r"\S{4,256}"), re.compile(r"\S{22,256}")


class Unacceptable(Exception):
    """An offer that can be read but not served; the text says why."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """The body of a PATCH.  `candidates` are pairs of a media line's id and the candidate; `password` may be ""."""

    ufrag: str
    password: str = ""
    candidates: list[tuple[str, str]] = field(default_factory=list)


def check_publish(sdp: str) -> str:
    """The ufrag of an offer that only sends: one stream with a picture, and sound at most once (RFC 9725, 4.2 and 4.4).

    Raises: ValueError if it cannot be read; Unacceptable.
    """
    description = _parse(sdp)
    _check_media(description)
    streams = {media.msid.split()[0] for media in description.media if media.msid}
    if len(streams - {"-"}) > 1:
        raise Unacceptable(f"an offer may send one stream, this has {len(streams)}")
    for media in description.media:
        if media.direction not in ("sendonly", "sendrecv", None):
            raise Unacceptable(f"whoever publishes sends: a=sendonly, not a={media.direction}")
    return _ufrag(sdp)


def check_play(sdp: str) -> str:
    """The ufrag of an offer that only receives.  Raises: ValueError if it cannot be read; Unacceptable."""
    description = _parse(sdp)
    _check_media(description)
    for media in description.media:
        if media.direction not in ("recvonly", "sendrecv", None):
            raise Unacceptable(f"whoever watches receives: a=recvonly, not a={media.direction}")
    return _ufrag(sdp)


def parse_fragment(text: str) -> Fragment:
    """Raises ValueError if it is no trickle fragment."""
    ufrags, passwords, mid, candidates = [], [""], "", []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=ice-ufrag":
            ufrags.append(value)
        elif name == "a=ice-pwd":
            passwords.append(value)
        elif name == "a=mid":
            mid = value
        elif name == "a=candidate":
            candidates.append((mid or "0", f"candidate:{value}"))
        elif line and not re.match(r"[a-z]=", line):
            raise ValueError(f"a fragment has lines like a=candidate:..., got {line[:60]!r}")
    if not ufrags:
        raise ValueError("a fragment names the ICE user: a=ice-ufrag:...")
    if not UFRAG.fullmatch(ufrags[0]) or not (passwords[-1] == "" or PASSWORD.fullmatch(passwords[-1])):
        raise ValueError("an ICE user has 4 to 256 characters, its password 22 to 256 (RFC 8839, 5.4)")
    return Fragment(ufrags[0], passwords[-1], candidates)


def _parse(sdp: str) -> Any:
    if not sdp.startswith("v=0"):
        raise ValueError("an SDP begins with v=0")
    try:
        return SessionDescription.parse(sdp)
    except Exception as error:  # foreign SDP: aiortc answers nonsense with whatever it trips over
        raise ValueError(f"the SDP cannot be read: {type(error).__name__}: {str(error)[:100]}") from None


def _check_media(description: Any) -> None:
    kinds = [media.kind for media in description.media]
    if kinds.count("video") != 1 or kinds.count("audio") > 1 or len(kinds) > kinds.count("audio") + 1:
        raise Unacceptable(f"an offer has one video and at most one audio, this has {', '.join(kinds) or 'nothing'}")
    bundled = {mid for group in description.group if group.semantic == "BUNDLE" for mid in group.items}
    if len(kinds) > 1 and not {str(media.rtp.muxId) for media in description.media} <= {str(mid) for mid in bundled}:
        raise Unacceptable("all media must be bundled: a=group:BUNDLE")
    if not all(media.rtcp_mux for media in description.media):
        raise Unacceptable("RTCP must be multiplexed: a=rtcp-mux")


def _ufrag(sdp: str) -> str:
    found = re.search(r"^a=ice-ufrag:(\S+)", sdp, re.M)
    if found is None:
        raise ValueError("the offer has no a=ice-ufrag")
    return found[1]
