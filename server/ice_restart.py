"""A restart of ICE that an offer or a PATCH of WHIP asks for, which aiortc leaves out: media goes on without a gap.

Only credentials change.  Our sockets and candidates stay; the client's checks, which come with the new credentials,
make pairs of their own (peer-reflexive, RFC 8445 7.3.1.3), and what it nominates takes the old pair's place.  Until
then media flows as before.  Source: RFC 8839, 4.4.1.1; RFC 8445, 9; RFC 9725, 4.3.3.
"""

from __future__ import annotations

from aioice import Connection
from aioice.utils import random_string
from aiortc import RTCPeerConnection
from aiortc.sdp import SessionDescription, candidate_to_sdp


def follow(connection: RTCPeerConnection) -> bool:
    """After an offer is set and before it is answered; whether it asked for a restart."""
    restarted = False
    told = connection._RTCPeerConnection__remoteIce  # type: ignore[attr-defined]
    for transceiver in connection.getTransceivers():
        theirs, ice = told.get(transceiver), transceiver.receiver.transport.transport._connection
        if theirs is None or ice.remote_username in (None, theirs.usernameFragment) or not theirs.usernameFragment:
            continue
        _renew(ice, theirs.usernameFragment, theirs.password)
        restarted = True
    return restarted


def renew(connection: RTCPeerConnection, ufrag: str, password: str) -> str:
    """Take a client's new credentials; returns a fragment of SDP with ours and our candidates (RFC 8840)."""
    for ice in {each.receiver.transport.transport._connection for each in connection.getTransceivers()}:
        _renew(ice, ufrag, password)  # of one bundle: all have the same
    media = SessionDescription.parse(connection.localDescription.sdp).media[0]
    lines = ["a=ice-options:trickle", f"m={media.kind} 9 {media.profile} 0", f"a=mid:{media.rtp.muxId}"]
    lines += [f"a=ice-ufrag:{ice.local_username}", f"a=ice-pwd:{ice.local_password}"]
    lines += [f"a=candidate:{candidate_to_sdp(each)}" for each in media.ice_candidates]
    return "\r\n".join([*lines, "a=end-of-candidates", ""])


def _renew(ice: Connection, ufrag: str, password: str) -> None:
    ice.remote_username, ice.remote_password = ufrag, password
    ice._local_username, ice._local_password = random_string(4), random_string(22)
