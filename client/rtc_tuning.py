"""What aiortc 1.16 needs for live video, at both ends; each change was measured (DESIGN.md, media path) and has a test.

`apply` is called once per process before the first peer connection.
"""

from __future__ import annotations

import fractions
import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiortc.codecs as codecs
import aiortc.codecs.h264 as h264
import aiortc.codecs.vpx as vpx
import aiortc.rate as rate
import aiortc.rtcdtlstransport as dtls
import aiortc.rtcrtpreceiver as receiver
import aiortc.rtcrtpsender as sender
import aiortc.rtp as rtp
import av
import numpy as np
from aioice.ice import StunProtocol
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters
from aiortc.utils import uint16_add

from reverie.client import gaps
from reverie.client.rate import CEILING, FLOOR, START

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
PLAYOUT_DELAY_ID = 4
PLAYOUT = bytes(
    (0, 0, 50)
)  # least and most, 12 bits each, in 10 ms: more than 500 ms and Chromium renders with a clock
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"  # ECDSA and RSA certificates
MOST_INVITED = 8_000_000  # b/s, in REMB
HYSTERESIS = 0.25  # a new bitrate re-creates the encoder, which costs a keyframe
HOLD_S = 2.0
MOST_READ = 64  # packets in one turn of the event loop

_applied = False


def apply() -> None:
    """Patch aiortc, once."""
    global _applied
    if _applied:
        return
    _applied = True
    _read_all()
    _release_on_marker()
    gaps.apply()
    _keep_timestamps()
    _ask_for_no_playout_delay()
    _steady_bitrates()
    h264.H264Encoder._encode_frame = _encode_h264  # type: ignore[method-assign]
    _accept_rsa()
    _invite_senders()
    rtp.compute_audio_level_dbov = loudness  # type: ignore[attr-defined]


def _read_all() -> None:
    """asyncio reads one packet in a turn of the loop: where turns are slow, seconds of video wait in the socket."""
    received = StunProtocol.datagram_received

    def all_received(self: Any, data: Any, address: Any) -> None:
        received(self, data, address)
        socket: Any = getattr(self.transport, "_sock", None)  # other event loops read all by themselves
        with suppress(OSError):
            for _ in range(MOST_READ if socket is not None else 0):
                received(self, *socket.recvfrom(65536))

    StunProtocol.datagram_received = all_received  # type: ignore[method-assign,assignment]


def _release_on_marker() -> None:
    """A frame leaves the jitter buffer with its last packet, not with the first of the next frame: -33 ms.

    Sound leaves at once: aiortc waits for four more packets, -80 ms; who plays it evens out the gaps.
    """
    original = JitterBuffer._remove_frame

    def sound_at_once(self: Any, sequence_number: int) -> JitterFrame:
        packet = self._packets[sequence_number % self._capacity]
        self.remove(uint16_add(sequence_number, -self._origin) + 1)  # what comes after it and is older, is late
        return JitterFrame(data=packet._data, timestamp=packet.timestamp)

    def remove_frame(self: Any, sequence_number: int) -> JitterFrame | None:
        if not self._is_video:
            return sound_at_once(self, sequence_number)
        packets: list[Any] = []
        for n in range(self.capacity):
            packet = self._packets[(self._origin + n) % self._capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                break
            packets.append(packet)
            if packet.marker:
                frame = JitterFrame(data=b"".join(p._data for p in packets), timestamp=packet.timestamp)
                self.remove(n + 1)
                return frame if frame.data else remove_frame(self, sequence_number)
        late = original(self, sequence_number)  # padding that follows a marker is no frame: it would end the decoder
        return late if late is None or late.data else remove_frame(self, sequence_number)

    JitterBuffer._remove_frame = remove_frame  # type: ignore[method-assign]


def _keep_timestamps() -> None:
    """A frame's pts is its RTP timestamp, received and sent: a styled frame has that of the camera's frame it shows.

    RFC 3550 begins at a random number against known plaintext in weak ciphers; SRTP's has no need of it.  And encoders
    move a frame's time to their own grid of 1/30 s, which aiortc then reads.
    """
    relative = receiver.TimestampMapper.map

    def absolute(self: Any, timestamp: int) -> int:
        self.first = getattr(self, "first", timestamp)
        return relative(self, timestamp) + self.first

    receiver.TimestampMapper.map = absolute  # type: ignore[method-assign]
    sender.uint32_add = lambda origin, timestamp: timestamp & 0xFFFFFFFF  # type: ignore[attr-defined]
    for encoder in (vpx.Vp8Encoder, h264.H264Encoder):
        encode = encoder.encode

        def timed(self: Any, frame: Any, force_keyframe: bool = False, encode: Any = encode) -> tuple[list[bytes], int]:
            seconds = frame.pts * frame.time_base
            payloads, _ = encode(self, frame, force_keyframe)
            return payloads, round(seconds * 90_000)

        encoder.encode = timed  # type: ignore[method-assign]


def _ask_for_no_playout_delay() -> None:
    """Browsers show a frame as soon as it is decoded: their jitter buffer falls to about 1 ms.

    With sound they hold it back until that is played, which a most of 0 would forbid.
    """
    extension = RTCRtpHeaderExtensionParameters(id=PLAYOUT_DELAY_ID, uri=PLAYOUT_DELAY)
    codecs.HEADER_EXTENSIONS["video"].append(extension)
    configure, write = rtp.HeaderExtensionsMap.configure, rtp.HeaderExtensionsMap.set

    def configure_with_delay(self: Any, parameters: Any) -> None:
        configure(self, parameters)
        for negotiated in parameters.headerExtensions:
            if negotiated.uri == PLAYOUT_DELAY:
                self.playout_delay_id = negotiated.id

    def set_with_delay(self: Any, values: Any) -> tuple[int, bytes]:
        profile, data = write(self, values)
        number = getattr(self, "playout_delay_id", None)
        if number is None or profile not in (0, 0xBEDE):
            return profile, data
        return rtp.pack_header_extensions([*rtp.unpack_header_extensions(profile, data), (number, PLAYOUT)])

    rtp.HeaderExtensionsMap.configure = configure_with_delay  # type: ignore[method-assign]
    rtp.HeaderExtensionsMap.set = set_with_delay  # type: ignore[method-assign]


def _steady_bitrates() -> None:
    """Start at 1.2 Mb/s; an encoder's rate changes only by 25 % or more, and grows at most every two seconds."""
    for module, encoder in ((vpx, vpx.Vp8Encoder), (h264, h264.H264Encoder)):
        module.MIN_BITRATE, module.DEFAULT_BITRATE, module.MAX_BITRATE = FLOOR, START, CEILING  # type: ignore[attr-defined]
        original = encoder.__dict__["target_bitrate"]

        def steady(self: Any, bitrate: int, original: Any = original) -> None:
            now, current = time.monotonic(), original.fget(self)
            small = abs(bitrate - current) <= HYSTERESIS * current
            if small or (bitrate > current and now - getattr(self, "_changed_at", -HOLD_S) < HOLD_S):
                return
            self._changed_at = now
            original.fset(self, bitrate)

        encoder.target_bitrate = property(original.fget, steady)  # type: ignore[attr-defined]


def _encode_h264(self: Any, frame: av.VideoFrame, force_keyframe: bool) -> Iterator[bytes]:
    """x264 ultrafast on one thread: 1 ms instead of 14 at 512x512."""
    changed = self.codec is not None and (
        (frame.width, frame.height) != (self.codec.width, self.codec.height)
        or self.target_bitrate != self.codec.bit_rate
    )
    if changed:
        self.codec = None
    kinds = av.video.frame.PictureType
    frame.pict_type = kinds.I if force_keyframe else kinds.NONE
    if self.codec is None:
        self.codec = _h264_codec(frame.width, frame.height, self.target_bitrate)
    data = b"".join(bytes(packet) for packet in self.codec.encode(frame))
    if data:
        yield from self._split_bitstream(data)


def _h264_codec(width: int, height: int, bitrate: int) -> Any:
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.bit_rate, codec.pix_fmt = width, height, bitrate, "yuv420p"
    codec.framerate, codec.time_base = fractions.Fraction(30), fractions.Fraction(1, 30)
    codec.options = {"tune": "zerolatency", "preset": "ultrafast"}
    codec.profile, codec.thread_count = "Baseline", 1
    return codec


def _accept_rsa() -> None:
    """Peers with an RSA certificate connect as well."""
    original = dtls.RTCCertificate._create_ssl_context

    def create(self: Any, srtp_profiles: Any) -> Any:
        context = original(self, srtp_profiles)
        context.set_cipher_list(CIPHERS)
        return context

    dtls.RTCCertificate._create_ssl_context = create  # type: ignore[method-assign]


def loudness(frame: av.AudioFrame) -> int:
    """dBov, -127..0 (RFC 6465, appendix A).  aiortc takes 1.1 ms a frame for it, and two channels for one."""
    samples = np.frombuffer(bytes(frame.planes[0]), np.int16).astype(np.float32)
    power = float(samples @ samples) / (max(1, samples.size) * 32767.0**2)
    return round(min(0.0, max(-127.0, 10 * math.log10(power)))) if power > 0 else -127


def _invite_senders() -> None:
    """REMB begins at 8 Mb/s and falls only when packets come late, not because a still picture needs few of them.

    Stock, it is bound to 1.5 times what arrives, and browsers then take even a loopback for a bad link.
    """
    created = rate.AimdRateControl.__init__

    def create(self: Any) -> None:
        created(self)
        self.current_bitrate, self.current_bitrate_initialized = MOST_INVITED, True

    def clamp(self: Any, new: int, throughput: int | None) -> int:
        """At most a half less at once: what comes tells of the picture too, not only of the link."""
        return int(min(max(new, self.current_bitrate // 2, self.floor), MOST_INVITED))

    state: Any = rate.AimdRateControl
    state.floor = 0  # b/s
    rate.AimdRateControl.__init__ = create  # type: ignore[method-assign]
    rate.AimdRateControl._clamp_bitrate = clamp  # type: ignore[method-assign]


def trust_uplink(connection: Any) -> None:
    """On one machine no link is ever full: what comes late waited for a processor, and its sender is not slowed down.

    A server without one for a while told browsers so of a loopback: 8 to 0.6 Mb/s, and minutes until it was back.
    """
    for each in connection.getReceivers():
        pair = each.transport.transport._connection._nominated.get(1)
        estimator = each._RTCRtpReceiver__remote_bitrate_estimator
        if estimator is not None and pair is not None and pair.remote_candidate.host == pair.local_candidate.host:
            estimator.rate_control.floor = CEILING


def hint_bitrate(sdp: str, start_kbps: int) -> str:
    """An answer that tells Chromium and Safari to begin at `start_kbps`, or they shrink the picture for 20 s."""
    hint = f"x-google-start-bitrate={start_kbps};x-google-max-bitrate={max(4000, start_kbps)}"
    hinted = {number for number, _ in re.findall(r"^a=rtpmap:(\d+) (VP8|H264)/", sdp, re.M)}
    lines, done = [], set()
    for line in sdp.split("\r\n"):
        known = re.match(r"a=fmtp:(\d+) ", line)
        if known and known[1] in hinted:
            line = f"{line};{hint}"
            done.add(known[1])
        lines.append(line)
    out = []
    for line in lines:
        out.append(line)
        named = re.match(r"a=rtpmap:(\d+) ", line)
        if named and named[1] in hinted - done:
            out.append(f"a=fmtp:{named[1]} {hint}")
    return "\r\n".join(out)
