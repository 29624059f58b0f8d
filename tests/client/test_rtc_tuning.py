"""Each change to aiortc: that what it patches is still what it was, and that it does what it is for."""

import asyncio
import hashlib
import importlib
import inspect
import socket
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiortc
import aiortc.codecs.h264 as h264
import aiortc.codecs.vpx as vpx
import aiortc.rtcrtpsender as sender
import av
import numpy as np
import pytest
from aioice.ice import StunProtocol
from aiortc import RTCCertificate, RTCPeerConnection, codecs
from aiortc.codecs import get_capabilities
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcdtlstransport import SRTP_PROFILES
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtcrtpreceiver import TimestampMapper
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, RtpPacket, unpack_header_extensions
from OpenSSL import SSL

from reverie.client import rtc_tuning


@pytest.fixture(autouse=True)
def applied() -> None:
    rtc_tuning.apply()


def packet(number: int, timestamp: int, marker: bool) -> RtpPacket:
    made = RtpPacket(sequence_number=number, timestamp=timestamp, marker=marker)
    made._data = bytes([number % 256])  # type: ignore[attr-defined]
    return made


def test_aiortc_is_the_version_that_was_read() -> None:
    assert version("aiortc").startswith("1.16."), "read rtc_tuning.py again for this aiortc"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("jitterbuffer", "self._packets"), ("jitterbuffer", "self._origin"), ("jitterbuffer", "self._is_video"),
        ("jitterbuffer", "def _remove_frame(self, sequence_number: int)"), ("codecs.h264", "def _encode_frame("),
        ("codecs.h264", "def _split_bitstream("), ("codecs.vpx", "max(MIN_BITRATE, min(bitrate, MAX_BITRATE))"),
        ("codecs.h264", "max(MIN_BITRATE, min(bitrate, MAX_BITRATE))"), ("codecs.vpx", "DEFAULT_BITRATE"),
        ("rtcdtlstransport", "def _create_ssl_context("), ("rtp", "def configure(self, parameters: RTCRtpParameters)"),
        ("rtp", "def set(self, values: HeaderExtensions) -> tuple[int, bytes]"), ("rtcrtpsender", "target_bitrate"),
        ("rtcrtpsender", "await self._next_encoded_frame(codec)"), ("rtcrtpreceiver", "self.__decoder_queue: queue.Queue"),
        ("rtcrtpsender", "uint32_add(timestamp_origin, enc_frame.timestamp)"),
        ("rtcrtpreceiver", "return timestamp - self._origin"),
    ],
)  # fmt: skip
def test_what_is_patched_is_still_there(module: str, name: str) -> None:
    assert name in inspect.getsource(importlib.import_module(f"aiortc.{module}"))


def test_the_patched_functions_have_not_changed_in_aiortc() -> None:
    """The text of aiortc's own functions, as they were when the patches were written."""
    text = (Path(aiortc.__file__).parent / "jitterbuffer.py").read_text()
    start = text.index("def _remove_frame")
    assert hashlib.sha256(text[start:].encode()).hexdigest()[:16] == "d27e95162f0f9436"


@pytest.mark.parametrize(("level", "dbov"), [(0, -127), (1, -90), (300, -41), (32767, 0)])
def test_loudness_is_in_decibels_below_the_loudest(level: int, dbov: int) -> None:
    frame = av.AudioFrame.from_ndarray(np.full((1, 1920), level, np.int16), "s16", "stereo")
    assert sender.rtp.compute_audio_level_dbov(frame) == dbov


def test_a_frame_leaves_with_its_marker() -> None:
    buffer = JitterBuffer(capacity=16, is_video=True)
    assert buffer.add(packet(1, 100, False))[1] is None
    frame = buffer.add(packet(2, 100, True))[1]
    assert frame is not None and frame.data == bytes([1, 2])


def test_a_gap_still_holds_a_frame_back() -> None:
    buffer = JitterBuffer(capacity=16, is_video=True)
    buffer.add(packet(1, 100, False))
    assert buffer.add(packet(3, 100, True))[1] is None
    frame = buffer.add(packet(2, 100, False))[1]
    assert frame is not None and frame.data == bytes([1, 2, 3])


def test_every_video_packet_asks_for_no_playout_delay_and_leaves_room_for_lip_sync() -> None:
    assert any(e.uri == rtc_tuning.PLAYOUT_DELAY for e in codecs.HEADER_EXTENSIONS["video"])
    extensions = HeaderExtensionsMap()
    negotiated = RTCRtpHeaderExtensionParameters(id=9, uri=rtc_tuning.PLAYOUT_DELAY)
    mid = RTCRtpHeaderExtensionParameters(id=1, uri="urn:ietf:params:rtp-hdrext:sdes:mid")
    extensions.configure(RTCRtpParameters(headerExtensions=[mid, negotiated]))
    profile, data = extensions.set(HeaderExtensions(mid="0"))
    assert dict(unpack_header_extensions(profile, data)) == {1: b"0", 9: bytes((0, 0, 50))}


@pytest.mark.parametrize("encoder", [vpx.Vp8Encoder, h264.H264Encoder])
def test_bitrates_start_at_1200_kbps_and_ignore_small_changes(encoder: type) -> None:
    made = encoder()
    assert made.target_bitrate == 1_200_000
    made.target_bitrate = 1_300_000
    assert made.target_bitrate == 1_200_000
    made.target_bitrate = 600_000
    assert made.target_bitrate == 600_000
    made.target_bitrate = 1_200_000  # at once after a change: held for two seconds
    assert made.target_bitrate == 600_000
    made.target_bitrate = 300_000  # down goes at once
    assert made.target_bitrate == 300_000
    made._changed_at -= 3
    made.target_bitrate = 1_200_000
    assert made.target_bitrate == 1_200_000


async def test_all_packets_of_a_socket_are_read_in_one_turn() -> None:
    heard: list[bytes] = []
    receiver: Any = SimpleNamespace(data_received=lambda data, component: heard.append(data), protocol_lost=print)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: StunProtocol(receiver), local_addr=("127.0.0.1", 0)
    )
    protocol.local_candidate = SimpleNamespace(component=1)  # type: ignore[assignment]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(20):
            sender.sendto(bytes([200, number]), transport.get_extra_info("sockname"))
    transport._read_ready()  # type: ignore[attr-defined]
    assert heard == [bytes([200, number]) for number in range(20)]
    await protocol.close()


def test_h264_is_quick_baseline_and_decodes() -> None:
    encoder = h264.H264Encoder()
    picture = np.zeros((96, 128, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 90000)
    payloads, _ = encoder.encode(frame, force_keyframe=True)
    assert payloads
    assert encoder.codec.thread_count == 1
    assert encoder.codec.options.get("preset", "ultrafast") == "ultrafast"


def test_rsa_peers_are_accepted() -> None:
    context = RTCCertificate.generateCertificate()._create_ssl_context(SRTP_PROFILES)
    names = SSL.Connection(context, None).get_cipher_list()
    assert any("ECDHE-RSA" in name for name in names)
    assert any("ECDHE-ECDSA" in name for name in names)


async def test_answers_tell_browsers_where_to_begin() -> None:
    assert get_capabilities("video")
    peer = RTCPeerConnection()
    peer.addTransceiver("video")
    sdp = (await peer.createOffer()).sdp
    await peer.close()
    hinted = rtc_tuning.hint_bitrate(sdp, 2500)
    for line in hinted.split("\r\n"):
        if line.startswith("a=fmtp:") and "apt=" not in line:
            assert line.endswith("x-google-start-bitrate=2500;x-google-max-bitrate=4000")
    assert hinted.count("x-google-start-bitrate") == sum(f" {c}/90000" in hinted for c in ("VP8",)) + hinted.count(
        " H264/"
    )


@pytest.mark.parametrize("encoder", [vpx.Vp8Encoder, h264.H264Encoder])
def test_an_encoded_frame_keeps_its_time(encoder: Any) -> None:
    """Encoders think in thirtieths of a second, and aiortc truncates: 3000 became 2999."""
    picture = np.zeros((64, 64, 3), np.uint8)
    coder = encoder()
    for pts in (3000, 5981, 9001):
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, Fraction(1, 90_000)
        assert coder.encode(frame)[1] == pts


def test_timestamps_come_as_they_were_sent_and_run_on_when_they_wrap() -> None:
    mapper = TimestampMapper()
    assert [mapper.map(t) for t in (2**32 - 3000, 2**32 - 1, 2999)] == [2**32 - 3000, 2**32 - 1, 2**32 + 2999]
    assert sender.uint32_add(12345, 2**32 + 7) == 7


def test_sound_leaves_at_once_and_what_comes_late_is_dropped() -> None:
    buffer = JitterBuffer(capacity=16, prefetch=4)
    released = [buffer.add(packet(number, number * 960, False))[1] for number in (65534, 65535, 1, 0, 2, 30)]
    assert [frame and frame.timestamp // 960 for frame in released] == [65534, 65535, 1, None, 2, 30]
