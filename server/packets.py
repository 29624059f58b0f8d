"""An encoded picture, or sound, to one viewer as SRTP packets, with as little work for each as Python allows.

aiortc makes an object of every packet, writes its extensions anew and hands it on by itself.  Here a picture's packets
share all but their numbers; one system call sends them where the kernel cuts them apart (UDP segmentation, Linux 4.18),
for which all but the last must be equally long.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from aioice.ice import StunProtocol
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RTP_HISTORY_SIZE, RtpPacket
from aiortc.utils import random16

HEADER = struct.Struct("!BBHLL")
NTP_S = 2_208_988_800  # from 1900 to 1970
SOL_UDP, UDP_SEGMENT = 17, 103
MOST = 60_000  # bytes of one call; the kernel takes 64 packets
NOT_HERE = {errno.EINVAL, errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.ENOTSUP}
_cuts = hasattr(socket.socket, "sendmsg")  # whether the kernel does, as far as it is known


def send_quickly(sender: Any) -> None:
    """Let one of aiortc's senders, whose track gives what is encoded, send it so, from its start."""
    sent: dict[int, tuple[int, bytes]] = {}  # the last packets, for who misses one
    again = sender._retransmit

    async def resend(number: int) -> None:
        known, data = sent.get(number % RTP_HISTORY_SIZE, (-1, b""))
        if known == number:
            extensions = sender._RTCRtpSender__rtp_header_extensions_map
            sender._RTCRtpSender__rtp_history[number % RTP_HISTORY_SIZE] = RtpPacket.parse(data, extensions)
            await again(number)

    async def run(codec: Any) -> None:
        sender._RTCRtpSender__rtp_started.set()
        number, headers = random16(), Headers(sender, codec.payloadType)
        try:
            while True:
                if sender.track is None:
                    await asyncio.sleep(0.02)
                elif (encoded := await sender._next_encoded_frame(codec)) is not None:
                    packets = headers.packed(number, encoded)
                    for packet in packets:
                        sent[number % RTP_HISTORY_SIZE] = number, packet
                        number = (number + 1) & 0xFFFF
                    await _send(sender, packets)
                    _count(sender, encoded, codec.clockRate)
        except (asyncio.CancelledError, ConnectionError, MediaStreamError):
            pass  # as aiortc's own
        finally:
            if sender.track is not None:
                sender.track.stop()
            sender._RTCRtpSender__rtp_exited.set()

    sender._retransmit, sender._run_rtp = resend, run


class Headers:
    """Of one sender's packets; all that does not change is written once."""

    def __init__(self, sender: Any, payload_type: int) -> None:
        self._payload_type, self._ssrc = payload_type, sender._ssrc
        first, last = (_header(sender, payload_type, sent) for sent in (0, 0xFFFFFF))
        self._flags, self._extensions = first[0], first[HEADER.size :]
        differ = [n for n, (a, b) in enumerate(zip(first, last, strict=True)) if a != b]
        self._sent_at = differ[0] - HEADER.size if differ else None  # where the time of sending is

    def packed(self, number: int, encoded: Any) -> list[bytes]:
        """RTP packets of a picture, the first with this sequence number."""
        extensions, at = self._extensions, self._sent_at
        if at is not None:
            sent = (int(time.time() * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")
            extensions = extensions[:at] + sent + extensions[at + 3 :]
        timestamp, last = encoded.timestamp & 0xFFFFFFFF, len(encoded.payloads) - 1
        return [
            HEADER.pack(
                self._flags, self._payload_type | (i == last) << 7, (number + i) & 0xFFFF, timestamp, self._ssrc
            )
            + extensions
            + payload
            for i, payload in enumerate(encoded.payloads)
        ]


def _header(sender: Any, payload_type: int, sent: int) -> bytes:
    """As aiortc writes it.  Args: sent: when, in 2**-18 s, the last 24 bits."""
    packet = RtpPacket(payload_type=payload_type)
    packet.extensions.abs_send_time, packet.extensions.mid = sent, sender._RTCRtpSender__mid
    return packet.serialize(sender._RTCRtpSender__rtp_header_extensions_map)


async def _send(sender: Any, packets: Sequence[bytes]) -> None:
    """Raises: ConnectionError if the connection is down."""
    dtls = sender.transport
    if dtls.state != "connected":
        raise ConnectionError("not connected")
    protect = dtls._tx_srtp.protect
    protected = [protect(packet) for packet in packets]
    pair = dtls.transport._connection._nominated.get(1)
    if pair is None:
        raise ConnectionError("not connected")
    plain = isinstance(pair.protocol, StunProtocol)
    for run in runs(protected):
        if not (plain and len(run) > 1 and _at_once(pair.protocol.transport, run, pair.remote_addr)):
            for packet in run:
                await pair.protocol.send_data(packet, pair.remote_addr)
    dtls._RTCDtlsTransport__tx_bytes += sum(map(len, protected))
    dtls._RTCDtlsTransport__tx_packets += len(protected)


def runs(packets: Sequence[bytes]) -> list[list[bytes]]:
    """Cut so that in each run all but the last are equally long, and that one is no longer."""
    cut: list[list[bytes]] = []
    size = 0
    for packet in packets:
        run = cut[-1] if cut else []
        if run and len(run[-1]) == len(run[0]) >= len(packet) and size + len(packet) <= MOST and len(run) < 64:
            run.append(packet)
            size += len(packet)
        else:
            cut.append([packet])
            size = len(packet)
    return cut


def _at_once(transport: Any, run: Sequence[bytes], address: tuple[str, int]) -> bool:
    """Whether one system call has taken them."""
    global _cuts
    own = getattr(transport, "_sock", None)  # asyncio's; other event loops have none
    if not _cuts or own is None or transport._buffer:
        return False
    try:
        own.sendmsg([b"".join(run)], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", len(run[0])))], 0, address)
    except OSError as error:
        if error.errno in NOT_HERE:
            _cuts = False
        return False
    return True


def _count(sender: Any, encoded: Any, clock_rate: int) -> None:
    """For sender reports: now by the wall clock, and by the track's, on which picture and sound are as old as they are.

    By these two a browser plays them together: what was taken together, whenever it was sent.
    """
    behind_s = time.monotonic() - sender.track.taken(encoded.timestamp)
    sender._RTCRtpSender__ntp_timestamp = int((time.time() + NTP_S) * (1 << 32))
    sender._RTCRtpSender__rtp_timestamp = (encoded.timestamp + round(behind_s * clock_rate)) & 0xFFFFFFFF
    sender._RTCRtpSender__octet_count += sum(map(len, encoded.payloads))
    sender._RTCRtpSender__packet_count += len(encoded.payloads)
