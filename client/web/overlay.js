// /overlay: a session's picture and nothing else, for OBS's browser source and other compositors.  See options() for its address.

const FIRST_WAIT_MS = 300, LONGEST_WAIT_MS = 3000;
const STALL_MS = 1500; // without a frame, and it connects anew; the last picture stays until then
const GONE_MS = 4000; // and then it is clear, never black
const JUMP = 28; // mean steps of 255 from one frame to the next: another look
const SHAPES = { circle: "circle(closest-side)", rounded: "inset(0 round 6%)", ellipse: "ellipse(closest-side closest-side)" };

const $ = (id) => document.getElementById(id);
const video = $("live");

/**
 * session: its id, or newest.  crop=top,right,bottom,left in percent.  mask=circle|rounded|ellipse.  fit=cover|contain|fill.
 * fade: ms between looks, 0 is a cut.  mirror=1.  note=1 says what is wrong.  api_key, where the server asks for one.
 */
export function options(search) {
  const given = new URLSearchParams(search);
  const number = (text, low, high, otherwise) => (text !== null && text !== "" && Number(text) >= low && Number(text) <= high ? Number(text) : otherwise);
  const sides = (given.get("crop") ?? "").split(",").map((side) => number(side, 0, 95, 0));
  const crop = sides.length === 4 && sides[0] + sides[2] < 100 && sides[1] + sides[3] < 100 ? sides : [0, 0, 0, 0];
  return {
    session: given.get("session") || "newest", key: given.get("api_key"), crop, mask: SHAPES[given.get("mask")] ?? "",
    fit: ["cover", "contain", "fill"].includes(given.get("fit")) ? given.get("fit") : "cover",
    fade: number(given.get("fade"), 0, 10_000, 400), mirror: given.get("mirror") === "1", note: given.get("note") === "1",
  };
}

const wanted = options(location.search);

function dress() {
  const [top, right, bottom, left] = wanted.crop;
  const [wide, high] = [100 - left - right, 100 - top - bottom];
  for (const each of [video, $("before")]) { // what is left of the picture fills the place
    Object.assign(each.style, { left: `${(-left / wide) * 100}%`, top: `${(-top / high) * 100}%`, width: `${1e4 / wide}%`, height: `${1e4 / high}%` });
  }
  $("picture").style.setProperty("--fit", wanted.fit);
  $("picture").style.clipPath = wanted.mask;
  $("picture").classList.toggle("mirrored", wanted.mirror);
}

function say(text) {
  $("note").textContent = text;
  $("note").hidden = !text || !wanted.note;
}

// One look fades into the other: the frame before a jump stays on top and goes.

const pen = $("before").getContext("2d", { alpha: false });
const probe = new OffscreenCanvas(16, 9).getContext("2d", { alpha: false, willReadFrequently: true });
let last = null;
let fading = null;
let seen = 0; // when the last frame came

function onFrame() {
  seen = performance.now();
  $("picture").classList.add("shown");
  if (wanted.fade) fade();
  video.requestVideoFrameCallback(onFrame);
}

function fade() {
  probe.drawImage(video, 0, 0, 16, 9);
  const now = probe.getImageData(0, 0, 16, 9).data;
  const apart = last ? now.reduce((sum, value, n) => sum + Math.abs(value - last[n]), 0) / (16 * 9 * 3) : 0;
  last = now;
  if (apart > JUMP && !fading) {
    fading = $("before").animate([{ opacity: 1 }, { opacity: 0 }], { duration: wanted.fade });
    fading.onfinish = () => { fading = null; };
  }
  if (fading) return; // the frame before the jump stays on top until it has gone
  const [width, height] = [video.videoWidth, video.videoHeight];
  if ($("before").width !== width || $("before").height !== height) Object.assign($("before"), { width, height });
  pen.drawImage(video, 0, 0);
}

// The connection: WHEP, again and again.

let tries = 0;

async function watch() {
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  let resource = null;
  const began = performance.now();
  const headers = { "Content-Type": "application/sdp", ...(wanted.key ? { Authorization: `Bearer ${wanted.key}` } : {}) };
  try {
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track }) => { video.srcObject = new MediaStream([track]); };
    await peer.setLocalDescription();
    const answer = await fetch(new URL(`whep/${encodeURIComponent(wanted.session)}`, location.href), { method: "POST", headers, body: peer.localDescription.sdp });
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `the server answered ${answer.status}`);
    resource = new URL(answer.headers.get("Location"), location.href);
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await broken(peer, began);
    say("The picture stopped; connecting again.");
  } catch (error) {
    say(`No picture yet: ${error.message}.`);
  } finally {
    peer.close();
    if (resource) fetch(resource, { method: "DELETE", headers, keepalive: true }).catch(() => {});
  }
}

/** Resolves once nothing comes any more. */
async function broken(peer, began) {
  for (;;) {
    await pause(100);
    const quiet = performance.now() - Math.max(seen, began);
    if (["failed", "closed"].includes(peer.connectionState) || quiet > (seen > began ? STALL_MS : 3 * STALL_MS)) return;
    if (seen > began) {
      tries = 0;
      say("");
    }
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function live() {
  for (;;) {
    await watch();
    await pause(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries++));
  }
}

dress();
video.requestVideoFrameCallback(onFrame);
setInterval(() => performance.now() - seen > GONE_MS && $("picture").classList.remove("shown"), 200);
live();
