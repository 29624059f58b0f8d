"""Sound in packets."""

from fractions import Fraction

import av

from reverie.client.opus import Encoder


def test_a_long_frame_becomes_packets_of_20_ms_with_a_time_each() -> None:
    frame = av.AudioFrame("s16", "stereo", 2880)
    frame.pts, frame.sample_rate, frame.time_base = 48_000, 48_000, Fraction(1, 48_000)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    encoder = Encoder()
    made = encoder.encode(frame)
    frame.pts += 2880
    made += encoder.encode(frame)
    assert [each.timestamp + 312 - 48_000 for each in made] == [960 * n for n in range(len(made))]
    assert len(made) >= 5
