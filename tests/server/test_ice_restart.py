"""A restart of ICE, asked for as browsers do: other credentials in an offer, other checks afterwards."""

import asyncio
from typing import Any

from aioice.ice import CandidatePair
from aioice.utils import random_string
from aiortc import RTCPeerConnection

from reverie.server import ice_restart


def ice_of(peer: RTCPeerConnection) -> Any:
    return peer.getTransceivers()[0].receiver.transport.transport._connection


async def agree(client: RTCPeerConnection, server: RTCPeerConnection) -> bool:
    await client.setLocalDescription(await client.createOffer())
    await server.setRemoteDescription(client.localDescription)
    restarted = ice_restart.follow(server)
    await server.setLocalDescription(await server.createAnswer())
    await client.setRemoteDescription(server.localDescription)
    return restarted


async def check(peer: RTCPeerConnection) -> CandidatePair.State:
    """What comes of a check with the credentials of now."""
    pair = next(iter(ice_of(peer)._nominated.values()))
    async with asyncio.timeout(30):
        await ice_of(peer).check_start(pair)
    return pair.state


async def test_checks_with_new_credentials_pass_once_the_offer_is_followed() -> None:
    client, server = RTCPeerConnection(), RTCPeerConnection()
    client.addTransceiver("video")
    assert not await agree(client, server)  # the first offer restarts nothing
    while client.connectionState != "connected" or server.connectionState != "connected":
        await asyncio.sleep(0.02)
    assert not await agree(client, server)  # nor does one more
    before = ice_of(server).local_username
    ice = ice_of(client)
    ice._local_username, ice._local_password = random_string(4), random_string(22)
    assert await agree(client, server)
    assert ice_of(server).local_username != before
    ice.remote_username, ice.remote_password = ice_of(server).local_username, ice_of(server).local_password
    assert await check(client) is CandidatePair.State.SUCCEEDED
    assert await check(server) is CandidatePair.State.SUCCEEDED
    await client.close()
    await server.close()
