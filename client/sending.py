"""A sender of aiortc, steered by what its peer reports: its rate, what is sent again, pictures that come encoded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiortc.rtp as rtp

from reverie.client.rate import Budget, RateControl

RESENT, RESENT_BURST_S = 0.25, 2.0  # share of the rate for what is sent again; without a bound a full link collapses
PACKET = 1200  # bytes


class Passing:
    """Stands where aiortc's sender has an encoder: pictures come encoded, `payloads` and `timestamp` in hand."""

    def pack(self, encoded: Any) -> tuple[list[bytes], int]:
        return encoded.payloads, encoded.timestamp


def send_encoded(sender: Any, ask_keyframe: Callable[[], None]) -> None:
    """Let a sender pass on encoded pictures.  Args: ask_keyframe: called when the peer asks for one."""
    sender._RTCRtpSender__encoder = Passing()
    sender._send_keyframe = ask_keyframe


def control_rate(sender: Any, control: RateControl, on_bitrate: Callable[[int], None]) -> None:
    """Let reports of the peer steer a sender of video; what is sent again is bounded by its rate.

    Args: on_bitrate: called with the rate, b/s, when it may have changed.
    """
    handle, again, take = sender._handle_rtcp_packet, sender._retransmit, sender._next_encoded_frame
    counted = [time.monotonic(), 0]  # at the last report: when, and bytes sent
    credit = [time.monotonic(), 0.0]  # bytes that may be sent again

    async def heard(packet: Any) -> None:
        now = time.monotonic()
        if isinstance(packet, rtp.RtcpPsfbPacket) and packet.fmt == rtp.RTCP_PSFB_APP:
            with suppress(ValueError):
                control.bound(rtp.unpack_remb_fci(packet.fci)[0])
            return on_bitrate(control.bitrate)
        for report in getattr(packet, "reports", ()):
            if report.ssrc == sender._ssrc and now - counted[0] > 0.1:
                sent = 8 * (sender._RTCRtpSender__octet_count - counted[1]) / (now - counted[0])
                counted[:] = now, sender._RTCRtpSender__octet_count
                control.report(now, report.fraction_lost / 256, sent, _trip_s(sender, report))
                on_bitrate(control.bitrate)
        await handle(packet)

    async def resend(sequence_number: int) -> None:
        now = time.monotonic()
        share = RESENT * control.bitrate / 8
        credit[:] = now, min(share * RESENT_BURST_S, credit[1] + share * (now - credit[0]))
        if credit[1] > 0:
            credit[1] -= PACKET
            await again(sequence_number)

    async def next_frame(codec: Any) -> Any:
        if control.silent(time.monotonic()):
            on_bitrate(control.bitrate)
        return await take(codec)

    sender._handle_rtcp_packet, sender._retransmit, sender._next_encoded_frame = heard, resend, next_frame


def steer(sender: Any) -> None:
    """Let a sender's own encoder follow what its link takes; it misses frames that the rate has no room for."""
    control, budget = RateControl(), Budget()

    def follow(bitrate: int) -> None:
        if (encoder := sender._RTCRtpSender__encoder) is not None:
            encoder.target_bitrate = bitrate

    control_rate(sender, control, follow)
    take = sender._next_encoded_frame

    async def in_time(codec: Any) -> Any:
        await asyncio.sleep(budget.wait_s(time.monotonic(), control.bitrate))
        encoded = await take(codec)
        if encoded is not None:
            budget.spend(time.monotonic(), 8 * sum(map(len, encoded.payloads)), control.bitrate)
        return encoded

    sender._next_encoded_frame = in_time


def peer_host(sender: Any) -> str:
    """The address that packets of a connected sender go to; "" before."""
    pairs = sender.transport.transport._connection._nominated
    return str(pairs[1].remote_candidate.host) if 1 in pairs else ""


def _trip_s(sender: Any, report: Any) -> float | None:
    """The round trip that a report tells, not smoothed; None if it answers no report of ours."""
    if not report.dlsr or sender._RTCRtpSender__lsr != report.lsr:
        return None
    return float(time.time() - sender._RTCRtpSender__lsr_time - report.dlsr / 65536)
