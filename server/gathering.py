"""Where media reaches this node: its addresses in a range of ports, announced addresses, STUN and TURN servers.

aioice 0.13 knows one server of each kind, any port, and no address but the machine's own; this takes the place of its
gathering.  Source: RFC 8445, 5.1.1.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceTransportPolicy, RTCPeerConnection
from aiortc.rtcicetransport import parse_stun_turn_uri

from reverie.server.ice import IceServer, ice_servers
from reverie.server.settings import Settings

log = logging.getLogger(__name__)
ANSWER_S = 2.0  # that the first STUN or TURN server has
OTHERS_S = 0.3  # that the others have after it
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Reach:
    """What an operator says about the network."""

    servers: tuple[IceServer, ...] = ()
    ports: tuple[int, int] | None = None  # first and last, UDP
    announced: tuple[str, ...] = ()  # addresses that a 1:1 NAT maps to this machine
    relay_only: bool = False


def reach(settings: Settings) -> Reach:
    return Reach(tuple(ice_servers(settings)), settings.udp_range, settings.announce, settings.relay_only)


class NodePeerConnection(RTCPeerConnection):
    """Gathers as `Reach` says."""

    def __init__(self, reach: Reach, bundle: RTCBundlePolicy) -> None:
        policy = RTCIceTransportPolicy.RELAY if reach.relay_only else RTCIceTransportPolicy.ALL
        super().__init__(RTCConfiguration(iceServers=[], bundlePolicy=bundle, iceTransportPolicy=policy))
        self._reach = reach

    def _RTCPeerConnection__createDtlsTransport(self) -> Any:
        made = super()._RTCPeerConnection__createDtlsTransport()  # type: ignore[misc]
        ice = made.transport.iceGatherer._connection
        ice.turn_server = ("", 0) if self._reach.relay_only else None  # else it says that there is none
        ice.get_component_candidates = Gathering(ice, self._reach).candidates
        return made


class Gathering:
    """Of one ICE connection."""

    def __init__(self, ice: Any, reach: Reach) -> None:
        self._ice, self._reach = ice, reach

    async def candidates(self, component: int, addresses: list[str], timeout: int = 0) -> list[Candidate]:
        found, hosts = [], []
        for address in addresses:
            try:
                protocol = await self._bind(address)
            except OSError as error:
                log.info("no media over %s: %s", address, error)
                continue
            hosts.append(protocol)
            found.append(_host(protocol, component))
        self._ice._protocols += hosts
        found += [
            _announced(each, address)
            for each in list(found)
            for address in self._reach.announced
            if _fits(each, address)
        ]
        for candidate, relay in await first(self._questions(component, hosts)):
            found.append(candidate)
            if relay is not None:
                self._ice._protocols.append(relay)
        return found

    async def _bind(self, address: str) -> StunProtocol:
        """A socket in the range of ports, from a random one on.  Raises OSError if none is free."""
        loop = asyncio.get_running_loop()
        low, high = self._reach.ports or (0, 0)
        ports = [*range(low, high + 1)]
        at = random.randrange(len(ports))
        for port in ports[at:] + ports[:at]:
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: StunProtocol(self._ice), local_addr=(address, port)
                )
            except OSError as error:
                problem = error
                continue
            if (made := transport.get_extra_info("socket")) is not None:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            return protocol
        raise OSError(f"no UDP port of {low} to {high} is free: {problem}")

    def _questions(self, component: int, hosts: list[StunProtocol]) -> list[Coroutine[Any, Any, tuple[Candidate, Any]]]:
        asked: list[Coroutine[Any, Any, tuple[Candidate, Any]]] = []
        for server in self._reach.servers:
            parsed = parse_stun_turn_uri(server.url)
            where = (parsed["host"], parsed["port"])
            if parsed["scheme"] == "stun":
                asked += [
                    server_reflexive_candidate(each, where) for each in hosts if ":" not in each.local_candidate.host
                ]
            elif parsed["scheme"] in ("turn", "turns"):
                asked.append(
                    relayed_candidate(
                        component=component, hide_related_address=self._reach.relay_only,
                        protocol_factory=lambda: StunProtocol(self._ice), turn_server=where,
                        turn_username=server.username, turn_password=server.credential,
                        turn_ssl=parsed["scheme"] == "turns", turn_transport=parsed["transport"],
                    )
                )  # fmt: skip
        return asked


async def first(questions: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Answers that come in time: a server that is down must not hold every call up."""
    tasks = {asyncio.ensure_future(each) for each in questions}
    answers, pending, patience_s = [], tasks, ANSWER_S
    while pending:
        done, pending = await asyncio.wait(pending, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            break
        for task in done:
            if (problem := task.exception()) is not None:
                log.info("a STUN or TURN server does not answer: %s", problem)
            else:
                answers.append(task.result())
                patience_s = OTHERS_S
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return answers


def _host(protocol: StunProtocol, component: int) -> Candidate:
    host, port = protocol.transport.get_extra_info("sockname")[:2]
    protocol.local_candidate = Candidate(
        foundation=candidate_foundation("host", "udp", host), component=component, transport="udp",
        priority=candidate_priority(component, "host"), host=host, port=port, type="host",
    )  # fmt: skip
    return protocol.local_candidate


def _announced(host: Candidate, address: str) -> Candidate:
    """The same socket as it is seen behind a 1:1 NAT."""
    return Candidate(
        foundation=candidate_foundation("srflx", "udp", address), component=host.component, transport="udp",
        priority=candidate_priority(host.component, "srflx"), host=address, port=host.port, type="srflx",
        related_address=host.host, related_port=host.port,
    )  # fmt: skip


def _fits(host: Candidate, address: str) -> bool:
    return ipaddress.ip_address(address).version == ipaddress.ip_address(host.host).version
