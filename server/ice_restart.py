"""A restart of ICE that the client's offer asks for, which aiortc leaves out: it goes on without a gap.

Only credentials change.  Our sockets and candidates stay; the client's checks, which come with the new credentials,
make pairs of their own (peer-reflexive, RFC 8445 7.3.1.3), and what it nominates takes the old pair's place.  Until
then media flows as before.  Source: RFC 8839, 4.4.1.1; RFC 8445, 9.
"""

from __future__ import annotations

from aioice.utils import random_string
from aiortc import RTCPeerConnection


def follow(connection: RTCPeerConnection) -> bool:
    """After an offer is set and before it is answered; whether it asked for a restart."""
    restarted = False
    told = connection._RTCPeerConnection__remoteIce  # type: ignore[attr-defined]
    for transceiver in connection.getTransceivers():
        theirs, ice = told.get(transceiver), transceiver.receiver.transport.transport._connection
        if theirs is None or ice.remote_username in (None, theirs.usernameFragment) or not theirs.usernameFragment:
            continue
        ice.remote_username, ice.remote_password = theirs.usernameFragment, theirs.password
        ice._local_username, ice._local_password = random_string(4), random_string(22)
        restarted = True
    return restarted
