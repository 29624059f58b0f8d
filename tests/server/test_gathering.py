"""How a node is reached: several STUN and TURN servers (Debian's coturn), a range of ports, an announced address."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

sys.path.insert(0, str(Path(__file__).parents[1]))
from rig.turn import SECRET, coturn, own_address

from reverie.server.gathering import first
from reverie.server.peer import connection
from reverie.server.settings import Settings


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with coturn(tmp_path_factory.mktemp("coturn")) as where:
        yield where


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((own_address(), 0))
        return int(probe.getsockname()[1])


async def candidates(settings: Settings) -> list[list[str]]:
    """Those of an offer, as words: foundation, component, transport, priority, host, port, "typ", type, ..."""
    peer = connection(settings)
    peer.createDataChannel("data")
    await peer.setLocalDescription(await peer.createOffer())
    lines = [line[12:].split() for line in peer.localDescription.sdp.splitlines() if line.startswith("a=candidate:")]
    await peer.close()
    return lines


def kinds(lines: list[list[str]]) -> set[str]:
    return {line[7] for line in lines}


async def test_nobody_is_asked_unless_the_operator_says_so() -> None:
    assert kinds(await candidates(Settings())) == {"host"}


async def test_media_takes_ports_of_the_range_alone() -> None:
    port = free_port()
    lines = await candidates(Settings(udp_ports=f"{port}-{port}"))
    assert {line[5] for line in lines} == {str(port)}


async def test_a_range_that_is_used_up_leaves_no_candidate() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        lines = await candidates(Settings(udp_ports=f"{port}-{port}"))
    assert not [line for line in lines if "." in line[4]]


async def test_an_announced_address_stands_beside_the_machines_own_with_the_same_port() -> None:
    lines = await candidates(Settings(announce=("203.0.113.7", "2001:db8::7")))
    own = {(line[4], line[5]) for line in lines if line[7] == "host" and "." in line[4]}
    announced = [line for line in lines if line[7] == "srflx" and "." in line[4]]
    assert announced and {line[4] for line in announced} == {"203.0.113.7"}
    assert {(line[9], line[11]) for line in announced} == own
    assert all(line[5] == line[11] for line in announced)


async def test_every_server_is_asked_and_one_that_is_down_holds_nobody_up(turn: str) -> None:
    down = f"{own_address()}:{free_port()}"
    servers = (f"stun:{down}", f"stun:{turn}", f"turn:{down}", f"turn:{turn}", f"turn:{turn}?transport=tcp")
    async with asyncio.timeout(60):
        lines = await candidates(Settings(ice_servers=servers, turn_secret=SECRET))
    assert kinds(lines) >= {"host", "srflx", "relay"}
    assert len([line for line in lines if line[7] == "relay"]) == 2  # by UDP and by TCP


async def test_a_wrong_secret_gets_no_relay(turn: str) -> None:
    assert kinds(await candidates(Settings(ice_servers=(f"turn:{turn}",), turn_secret="south"))) == {"host"}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_where_only_the_relay_is_allowed_everything_goes_through_it(turn: str, transport: str) -> None:
    settings = Settings(ice_servers=(f"turn:{turn}?transport={transport}",), turn_secret=SECRET, relay_only=True)
    assert kinds(await candidates(settings)) == {"relay"}
    node, client = connection(settings), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    heard: asyncio.Queue[Any] = asyncio.Queue()
    node.on("datachannel", lambda channel: channel.on("message", heard.put_nowait))
    channel = client.createDataChannel("data")
    channel.on("open", lambda: channel.send("hello"))
    await client.setLocalDescription(await client.createOffer())
    await node.setRemoteDescription(RTCSessionDescription(client.localDescription.sdp, "offer"))
    await node.setLocalDescription(await node.createAnswer())
    await client.setRemoteDescription(RTCSessionDescription(node.localDescription.sdp, "answer"))
    assert await asyncio.wait_for(heard.get(), 60) == "hello"
    pair = client.sctp.transport.transport._connection._nominated[1]
    assert pair.remote_candidate.type == "relay"
    await client.close()
    await node.close()


async def test_the_first_answer_starts_a_short_wait_for_the_others() -> None:
    async def answer(after_s: float) -> float:
        await asyncio.sleep(after_s)
        return after_s

    async def fail() -> float:
        raise OSError("refused")

    async with asyncio.timeout(50):
        assert await first([fail(), answer(0.0), answer(99.0)]) == [0.0]
        assert await first([]) == []
