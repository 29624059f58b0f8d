"""What is encoded can be decoded, follows the bitrate and has keyframes where they were asked for."""

from fractions import Fraction

import av
import numpy as np
import pytest

from reverie.server import encoders
from reverie.server.encoders import Encoder, h264_name

WIDTH, HEIGHT = 320, 192
DECODERS = {"H264": "h264", "VP8": "libvpx"}


def noisy(number: int, width: int = WIDTH, height: int = HEIGHT) -> av.VideoFrame:
    """A picture that takes as many bits as an encoder may spend."""
    picture = np.random.default_rng(number).integers(0, 256, (height * 3 // 2, width), np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
    frame.pts, frame.time_base = 1000 + number * 3000, Fraction(1, 90000)
    return frame


@pytest.mark.parametrize("codec", DECODERS)
def test_pictures_decode_with_their_size_and_carry_their_timestamp(codec: str) -> None:
    encoder, decoder = Encoder(codec), av.CodecContext.create(DECODERS[codec], "r")
    for number in range(5):
        encoded = encoder.encode(noisy(number), 800_000, False)
        assert encoded.timestamp == 1000 + number * 3000
        assert encoded.keyframe == (number == 0)
        assert max(map(len, encoded.payloads)) <= 1300
        (frame,) = decoder.decode(av.Packet(encoded.data))
        assert (frame.width, frame.height) == (WIDTH, HEIGHT) == (encoded.width, encoded.height)


@pytest.mark.parametrize("codec", DECODERS)
def test_a_keyframe_comes_when_it_is_asked_for_and_stands_alone(codec: str) -> None:
    encoder = Encoder(codec)
    made = [encoder.encode(noisy(number), 800_000, number == 3) for number in range(6)]
    assert [encoded.keyframe for encoded in made] == [True, False, False, True, False, False]
    decoder = av.CodecContext.create(DECODERS[codec], "r")
    assert decoder.decode(av.Packet(made[3].data)) and decoder.decode(av.Packet(made[4].data))


def kbps(encoder: Encoder, bitrate: int, numbers: range) -> tuple[float, int]:
    """Rate and keyframes of some pictures."""
    made = [encoder.encode(noisy(number), bitrate, False) for number in numbers]
    return sum(len(e.data) for e in made) * 8 * 30 / len(made) / 1000, sum(e.keyframe for e in made)


def test_h264_follows_the_bitrate_up_and_down_without_a_keyframe() -> None:
    encoder = Encoder("H264")
    kbps(encoder, 2_000_000, range(30))
    for bitrate in (1_000_000, 2_500_000, 1_500_000):
        kbps(encoder, bitrate, range(10))  # the rate settles
        rate, keys = kbps(encoder, bitrate, range(40))
        assert keys == 0
        assert 0.7 * bitrate < rate * 1000 < 1.3 * bitrate


def test_vp8_leaves_out_small_changes_and_follows_large_ones() -> None:
    encoder = Encoder("VP8")
    kbps(encoder, 1_000_000, range(20))
    assert kbps(encoder, 1_200_000, range(20))[1] == 0
    assert kbps(encoder, 2_000_000, range(1))[1] == 1


def test_another_size_is_a_new_keyframe() -> None:
    encoder = Encoder("VP8")
    encoder.encode(noisy(0), 800_000, False)
    encoded = encoder.encode(noisy(1, 160, 96), 800_000, False)
    assert encoded.keyframe and (encoded.width, encoded.height) == (160, 96)


def test_the_next_encoder_is_taken_where_one_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def probe(name: str) -> None:
        tried.append(name)
        if name != "libx264":
            raise av.error.ExternalError(1, "no device")

    monkeypatch.setattr(encoders, "probe", probe)
    h264_name.cache_clear()
    assert h264_name() == "libx264"
    assert tried == ["h264_nvenc", "h264_videotoolbox", "h264_vaapi", "libx264"]
    h264_name.cache_clear()


def test_a_codec_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="AV1"):
        Encoder("AV1")
