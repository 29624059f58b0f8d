"""Decart's SDK as npm has it, on a page of an origin of its own; what a page does with it, as JavaScript."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rig.alone import alone

SCRIPTS = Path(__file__).parents[1] / "conformance" / "js"
CACHE = Path.home() / ".cache" / "reverie" / "test"
WORKER = "node_modules/@decartai/sdk/dist/realtime/browser/frame-metadata-worker.js"
OLD_CLOCK = """() => {
    const now = RTCRtpReceiver.prototype.getSynchronizationSources;
    RTCRtpReceiver.prototype.getSynchronizationSources = function () {
        return now.call(this).map(source => ({...source, timestamp: source.timestamp - performance.timeOrigin}));
    };
}"""  # SDK 0.1.20 adds the time origin itself, as Chromium left it out once; with this one's it would be there twice
CONNECT = """async ([url, options, key]) => {
    window.seen = {states: [], kinds: [], positions: [], errors: []};
    window.client = decart.createDecartClient({
        apiKey: key, baseUrl: url, realtimeBaseUrl: url.replace("http", "ws"), telemetry: false});
    const model = decart.models.realtime("lucy-2.5");
    const camera = await navigator.mediaDevices.getUserMedia(
        {video: {width: model.width, height: model.height, frameRate: 30}, audio: true});
    window.live = await client.realtime.connect(camera, {
        model, resolution: "720p", ...options,
        onRemoteStream: stream => { a.srcObject = stream; seen.kinds = stream.getTracks().map(t => t.kind).sort(); },
        onConnectionChange: state => seen.states.push(state),
        onQueuePosition: at => seen.positions.push(at.position)});
    live.on("error", error => seen.errors.push(error.message));
}"""
MEAN = """video => {
    const canvas = new OffscreenCanvas(8, 8), context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 8, 8);
    const data = context.getImageData(0, 0, 8, 8).data, sums = [0, 0, 0];
    data.forEach((value, i) => { if (i % 4 < 3) sums[i % 4] += value / 64; });
    return sums;
}"""
RED = f"({MEAN})(a)[0] > 1.6 * ({MEAN})(a)[1] && ({MEAN})(a)[0] > 1.6 * ({MEAN})(a)[2]"
GREEN = f"({MEAN})(a)[1] > 1.6 * ({MEAN})(a)[0] && ({MEAN})(a)[1] > 1.6 * ({MEAN})(a)[2]"
PICTURE = """async colour => {
    const canvas = new OffscreenCanvas(64, 48), context = canvas.getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 64, 48);
    return canvas.convertToBlob();
}"""
CAMERA_BACK = """() => live.on("connectionChange", async state => {
    if (state !== "connected") return;
    const fresh = await navigator.mediaDevices.getUserMedia({video: {width: 1280, height: 720, frameRate: 30}});
    live.replaceVideoTrack(fresh.getVideoTracks()[0]);
})"""  # the SDK's own reconnect stops the camera's track; client/docs/migrate.md says so


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@alone(CACHE / "decart-js.lock")
def installed() -> Path:
    """The folder of tests/conformance/js with its packages.  Raises RuntimeError that says what is missing."""
    folder = CACHE / "decart-js"
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise RuntimeError("node and npm are not installed")
    wanted = (SCRIPTS / "package.json").read_text()
    if not (folder / "complete").exists() or (folder / "complete").read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(SCRIPTS / "package.json", folder)
        done = subprocess.run(["npm", "install", "--silent", "--no-audit"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"npm install: {(done.stderr or done.stdout).strip()[-200:]}")
        (folder / "complete").write_text(wanted)
    for script in SCRIPTS.glob("*.js"):
        shutil.copy(script, folder)
    return folder


@contextmanager
def served_page(modules: Path, folder: Path) -> Iterator[str]:
    """The origin of a page with the SDK and two video elements, a and b."""
    output = f"--outfile={folder}/sdk.js"
    here = "--define:import.meta.url=location.href"  # the SDK's worker lies beside the page
    command = ["npx", "esbuild", "entry.js", "--bundle", "--format=iife", here, output, "--log-level=error"]
    subprocess.run(command, cwd=modules, check=True, capture_output=True)
    shutil.copy(modules / WORKER, folder)
    videos = "".join(f"<video id={name} autoplay playsinline muted></video>" for name in "ab")
    (folder / "index.html").write_text(f"<!doctype html><title>elsewhere</title>{videos}<script src=sdk.js></script>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
