"""Programs of others publish by WHIP and watch by WHEP: FFmpeg, the library of OBS, and Chromium with whip-whep."""

import functools
import json
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig.node import Node, serve
from rig.npm import installed
from rig.whip import call

HERE = Path(__file__).parents[1] / "whip"
COLOUR, INVERTED = (200, 60, 60), (55, 195, 195)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with serve("toy") as made:
        yield made


def frames(seconds: float, width: int, height: int) -> Iterator[av.VideoFrame]:
    """A flat colour with a moving bar."""
    for number in range(int(seconds * 30)):
        picture = np.full((height, width, 3), COLOUR, np.uint8)
        picture[:8, number % width :] = 255
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        yield frame


def encoder(width: int, height: int, profile: str = "Baseline") -> Any:
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.time_base, codec.framerate, codec.bit_rate, codec.profile = Fraction(1, 30), Fraction(30), 2_500_000, profile
    codec.gop_size, codec.max_b_frames = 30, 0
    codec.options = {"preset": "ultrafast", "tune": "zerolatency"}
    return codec


async def watch(node: Node, session: str) -> None:
    """See the session inverted; it may take a moment until it is there."""
    async with httpx.AsyncClient(base_url=node.url) as http:
        deadline = time.monotonic() + 10
        while (await http.head(f"/whep/{session}")).status_code != 200:
            assert time.monotonic() < deadline, f"{session} never came"
            await _nap()
    async with call(node.url, f"/whep/{session}", sends=False) as viewer:
        await viewer.sees(INVERTED)


async def _nap() -> None:
    import asyncio

    await asyncio.sleep(0.05)


@pytest.mark.parametrize("size, profile", [((640, 480), "Baseline"), ((1280, 720), "High")])
async def test_obs_as_its_library_sends(node: Node, tmp_path: Path, size: tuple[int, int], profile: str) -> None:
    """Emulated: OBS 30 and newer is in no Debian 12 package.  OBS says 42e01f whatever profile it encodes."""
    modules = installed(HERE / "package.json")
    codec = encoder(*size, profile)
    pictures = [b"".join(map(bytes, codec.encode(frame))) for frame in frames(6, *size)]
    (tmp_path / "frames").write_bytes(b"".join(struct.pack(">I", len(each)) + each for each in pictures if each))
    url = f"{node.url}/whip?session=obs-{profile}&prompt=invert"
    command = ["node", str(HERE / "obs.mjs"), url, "token", str(tmp_path / "frames"), f"{modules}/package.json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        before = node.metrics()["reverie_frames_in_total"]
        await watch(node, f"obs-{profile}")
        said, wrong = process.communicate(timeout=20)
    finally:
        process.kill()
    assert said, wrong
    result = json.loads(said.splitlines()[-1])
    assert (result.get("deleted"), result.get("sent")) == (200, len(pictures)), result
    assert node.metrics()["reverie_frames_in_total"] - before >= 0.9 * len(pictures)


@pytest.mark.parametrize("key", ["ec", "rsa"])
async def test_ffmpeg_whip_muxer(node: Node, tmp_path: Path, key: str) -> None:
    """FFmpeg 8.1's muxer, inside PyAV; with a certificate of its own the muxer fails against any OpenSSL peer."""
    if "whip" not in av.formats_available:
        pytest.skip("this PyAV's FFmpeg has no whip muxer")
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["rsa:2048"]
    certificate = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=whip", "-newkey", *kind]
    files = {"cert_file": str(tmp_path / "cert"), "key_file": str(tmp_path / "key")}
    subprocess.run(
        [*certificate, "-out", files["cert_file"], "-keyout", files["key_file"]], check=True, capture_output=True
    )
    process = subprocess.Popen(
        [sys.executable, str(HERE / "ffmpeg.py"), f"{node.url}/whip?session=ffmpeg-{key}&prompt=invert", json.dumps(files)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        await watch(node, f"ffmpeg-{key}")
        said, wrong = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, (said, wrong)


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Node]]:
    """A page of another origin that has whip-whep, and a node that lets it in."""
    modules = installed(HERE / "package.json")

    class Files(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Files, directory=modules / "node_modules" / "whip-whep")
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("REVERIE_ORIGINS", origin)
    monkeypatch.setenv("REVERIE_ICE_SERVERS", "stun:127.0.0.1:9")
    with serve("toy") as node:
        yield origin, node
    server.shutdown()
    server.server_close()


BOTH = """async ([whip, whep]) => {
  const { WHIPClient } = await import(location.origin + "/whip.js");
  const { WHEPClient } = await import(location.origin + "/whep.js");
  const until = async (true_) => { for (let n = 0; !true_(); n++) { if (n > 200) throw new Error(String(true_)); await new Promise((r) => setTimeout(r, 50)); } };
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const track of (await navigator.mediaDevices.getUserMedia({ video: true, audio: true })).getTracks())
    peer.addTransceiver(track, { direction: "sendonly" });
  const publisher = new WHIPClient();
  await publisher.publish(peer, whip, "token");
  await until(() => peer.connectionState === "connected");
  const view = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  view.addTransceiver("audio", { direction: "recvonly" });
  view.addTransceiver("video", { direction: "recvonly" });
  const viewer = new WHEPClient();
  await viewer.view(view, whep, "token");
  await until(() => view.connectionState === "connected");
  let frames = 0;
  for (let n = 0; n < 100 && frames < 30; n++) {
    await new Promise((r) => setTimeout(r, 100));
    for (const each of (await view.getStats()).values()) if (each.type === "inbound-rtp" && each.kind === "video") frames = each.framesDecoded ?? 0;
  }
  const etag = Boolean(publisher.etag), servers = peer.getConfiguration().iceServers.map((each) => each.urls).flat();
  await viewer.stop();
  await publisher.stop();
  return { frames, etag, servers };
}"""


def test_whip_whep_in_chromium_from_a_page_of_another_origin(studio: tuple[str, Node]) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    from rig.browser import FLAGS, chromium

    try:
        path = chromium()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    origin, node = studio
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        page = browser.new_page()
        answers: list[tuple[str, int]] = []
        page.on("response", lambda answer: answers.append((answer.request.method, answer.status)))
        page.goto(f"{origin}/package.json")
        result = page.evaluate(BOTH, [f"{node.url}/whip?session=page", f"{node.url}/whep/page"])
        browser.close()
    assert result["frames"] >= 30 and result["etag"]
    assert result["servers"] == ["stun:127.0.0.1:9"]  # told by Link
    patches = [status for method, status in answers if method == "PATCH"]
    assert patches and set(patches) == {204}
    assert [status for method, status in answers if method == "DELETE"] == [200, 200]
    assert node.metrics()["reverie_sessions"] == 0
