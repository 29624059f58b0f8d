"""FFmpeg's WHIP muxer sends six seconds: python ffmpeg.py URL OPTIONS, with options of the muxer as JSON."""

import json
import sys
import time
from pathlib import Path

import av

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from test_whip_programs import frames

url, options = sys.argv[1], json.loads(sys.argv[2])
output = av.open(url, "w", format="whip", options={"authorization": "token", **options})
video = output.add_stream(
    "libx264", rate=30, options={"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
)
video.width, video.height, video.pix_fmt, video.codec_context.gop_size, video.codec_context.max_b_frames = (
    640,
    480,
    "yuv420p",
    30,
    0,
)
began = time.monotonic()
for number, frame in enumerate(frames(6, 640, 480)):
    time.sleep(max(0.0, began + number / 30 - time.monotonic()))
    output.mux(video.encode(frame))
output.close()
