// The camera page: a camera in, styled video out, one sentence in between.
// It speaks the plain WebRTC form of /v1/stream; see client/protocol.py for the messages.

const EXAMPLES = ["pencil sketch", "watercolour", "comic book", "neon outlines", "cyberpunk night",
  "blueprint", "pixel art", "thermal camera", "golden hour", "oil painting"];
const CAMERA = { width: { ideal: 512 }, height: { ideal: 288 }, frameRate: { ideal: 30, max: 30 } };
const MAX_BITRATE = 2_500_000; // bits per second, enough for 512x288 at 30 fps
const CAMERA_ERRORS = {
  NotAllowedError: "The camera is blocked for this page. Allow it in the browser's address bar, then start again.",
  NotFoundError: "No camera was found. Plug one in, then start again.",
  NotReadableError: "The camera is busy. Close the other program that uses it, then start again.",
};
const ENDED = {
  disconnect: "The connection to the server was lost.",
  timeout: "The session reached its time limit.",
  moderation_violation: "The server refused this look and ended the session.",
  error: "The server ended the session because of an error.",
  insufficient_credits: "The server has no time left for this session.",
};

const $ = (id) => document.getElementById(id);
let session = null; // { camera, socket, peer, status } from Start to Stop
let passthrough = false;

// What the page says

function say(state, text) {
  $("state").dataset.state = state;
  $("state-text").textContent = text;
}

function complain(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

function note(text) {
  $("prompt-note").textContent = text;
}

function showLook() {
  $("passthrough").setAttribute("aria-pressed", String(passthrough));
  const prompt = $("prompt").value.trim();
  for (const chip of $("examples").children) {
    chip.setAttribute("aria-pressed", String(!passthrough && chip.textContent === prompt));
  }
}

function showOpen(open) {
  $("welcome").hidden = open;
  $("camera").hidden = !open;
  $("stop").hidden = !open;
  $("start").disabled = false;
}

// What the page sends

function send(message) {
  if (session?.socket.readyState === WebSocket.OPEN) session.socket.send(JSON.stringify(message));
}

function sendLook() {
  note("");
  showLook();
  if (passthrough) return send({ type: "set_image", image_data: null, prompt: null });
  send({ type: "prompt", prompt: $("prompt").value.trim(), enhance_prompt: $("enhance").checked });
}

function sendSettings() {
  const { value, validity } = $("seed");
  if (value === "" || !validity.valid) return note("The seed is a whole number from 0 to 4294967295.");
  send({ type: "settings", strength: $("strength").valueAsNumber, seed: Number(value) });
}

// What the server says

async function receive(message, { peer }) {
  switch (message.type) {
    case "answer":
      return peer.setRemoteDescription(message);
    case "ice-candidate":
      return message.candidate && peer.addIceCandidate(message.candidate);
    case "prompt_ack":
    case "set_image_ack":
    case "settings_ack":
      return message.success === false ? note(message.error ?? "The server refused this.") : undefined;
    case "prompt_enhanced":
      return note(`Enhanced: ${message.prompt}`);
    case "status":
      session.status = message;
      return showStatus(session);
    case "generation_ended":
      return close(ENDED[message.reason] ?? `The session ended: ${message.reason}.`);
    case "error":
      return complain(message.error);
  }
}

function showStatus({ status, peer }) {
  if (!status || peer.connectionState !== "connected") return;
  const words = { styled: "Live", passthrough: "Live", stalled: "The model is late", crashed: "The model stopped" };
  const well = status.state === "styled" || status.state === "passthrough";
  say(well ? "live" : "trouble", [words[status.state] ?? status.state, status.reason].filter(Boolean).join(": "));
}

// From Start to Stop

async function openCamera() {
  if (!navigator.mediaDevices) {
    throw new Error("The browser gives the camera to https or localhost pages only. Open this page by the name localhost or with TLS.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio: false });
  } catch (error) {
    throw new Error(CAMERA_ERRORS[error.name] ?? `The camera did not start: ${error.message}`);
  }
}

function openPeer(camera) {
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const [track] = camera.getVideoTracks();
  const { sender } = peer.addTransceiver(track, { streams: [camera], sendEncodings: [{ maxBitrate: MAX_BITRATE }] });
  // A new size makes the model forget what it showed, so a poor link should cost frames instead.
  sender.setParameters({ ...sender.getParameters(), degradationPreference: "maintain-resolution" }).catch(() => {});
  peer.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate !== "") send({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null });
  };
  peer.ontrack = ({ track: styled }) => {
    $("styled").srcObject = new MediaStream([styled]);
  };
  peer.onconnectionstatechange = () => {
    if (session?.peer === peer) showStatus(session);
    if (peer.connectionState === "failed") close("The video connection failed. A firewall between here and the server may block it.");
    if (peer.connectionState === "disconnected") say("trouble", "Video interrupted, waiting");
  };
  return peer;
}

function openSocket() {
  const url = new URL("v1/stream", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = location.search;
  return new WebSocket(url);
}

async function offer({ peer, socket }) {
  sendSettings();
  sendLook();
  await peer.setLocalDescription();
  if (socket.readyState === WebSocket.OPEN) send({ type: "offer", sdp: peer.localDescription.sdp });
}

async function start() {
  complain("");
  $("start").disabled = true;
  say("connecting", "Waiting for the camera");
  try {
    connect(await openCamera());
  } catch (error) {
    say("trouble", "Camera off");
    complain(error.message);
    $("start").disabled = false;
  }
}

function connect(camera) {
  const mine = { camera, socket: openSocket(), peer: openPeer(camera) };
  session = mine;
  const { socket } = mine;
  let last = Promise.resolve(); // messages are handled one after the other
  const fail = (error) => mine === session && close(`The server's answer could not be used: ${error.message}`);
  socket.onopen = () => offer(mine).catch(fail);
  socket.onmessage = ({ data }) => {
    last = last.then(() => mine === session && receive(JSON.parse(data), mine)).catch(fail);
  };
  socket.onclose = ({ reason }) => last.then(() => {
    if (mine === session) close(reason || "The server closed the connection, or cannot be reached.");
  });
  $("camera").srcObject = camera;
  camera.getVideoTracks()[0].onended = () => mine === session && close("The camera was unplugged or taken away.");
  showOpen(true);
  say("connecting", "Connecting to the server");
}

function close(reason = "") {
  const { camera, socket, peer } = session ?? {};
  session = null;
  socket?.close();
  peer?.close();
  camera?.getTracks().forEach((track) => track.stop());
  $("camera").srcObject = $("styled").srcObject = null;
  $("figures").textContent = "";
  showOpen(false);
  say(reason ? "trouble" : "idle", reason ? "Stopped" : "Camera off");
  complain(reason);
  note("");
}

// Live figures, once a second

function meter() {
  let frames = 0;
  let then = performance.now();
  setInterval(async () => {
    const now = performance.now();
    const total = $("styled").getVideoPlaybackQuality().totalVideoFrames;
    const fps = Math.max(0, total - frames) * 1000 / (now - then);
    [frames, then] = [total, now];
    const { videoWidth: width, videoHeight: height } = $("styled");
    if (!session || !width) return;
    $("frame").style.setProperty("--aspect", `${width} / ${height}`);
    const trip = await roundTrip(session.peer);
    const parts = [`${fps.toFixed(0)} fps`, `${width}×${height}`];
    if (trip !== undefined) parts.push(`network round trip ${(trip * 1000).toFixed(0)} ms`);
    if (session) $("figures").textContent = parts.join(" · ");
  }, 1000);
}

async function roundTrip(peer) {
  for (const stat of (await peer.getStats()).values()) {
    if (stat.type === "candidate-pair" && stat.nominated) return stat.currentRoundTripTime; // seconds
  }
  return undefined;
}

// The controls

function choose(prompt) {
  passthrough = false;
  if (prompt !== undefined) $("prompt").value = prompt;
  if (!$("prompt").value.trim()) return note("Say in a few words what it should look like.");
  sendLook();
}

for (const example of EXAMPLES) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.textContent = example;
  chip.onclick = () => choose(example);
  $("examples").append(chip);
}
$("controls").onsubmit = (event) => {
  event.preventDefault();
  choose();
};
let waiting; // a dragged slider sends at most ten settings a second
$("strength").oninput = () => {
  $("strength-value").textContent = `${Math.round($("strength").valueAsNumber * 100)} %`;
  clearTimeout(waiting);
  waiting = setTimeout(sendSettings, 100);
};
$("seed").onchange = sendSettings;
$("enhance").onchange = () => !passthrough && choose();
$("mirror").onchange = () => $("frame").classList.toggle("mirrored", $("mirror").checked);
$("passthrough").onclick = () => {
  if (passthrough) return choose();
  passthrough = true;
  sendLook();
};
$("start").onclick = start;
$("stop").onclick = () => close();
window.addEventListener("pagehide", () => session && close());
showLook();
meter();
