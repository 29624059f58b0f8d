// The camera page: what is shown, and what each control does.

import { Recording, snapshot } from "./capture.js";
import { Connection } from "./connection.js";
import { keep } from "./key.js";
import * as recordings from "./recordings.js";
import { pushToTalk } from "./speech.js";

const CAMERA = { width: { ideal: 512 }, height: { ideal: 288 }, frameRate: { ideal: 30, max: 30 } };
const CAMERA_ERRORS = {
  NotAllowedError: "The camera is blocked for this page. Allow it in the browser's address bar, then start again.",
  NotFoundError: "No camera was found. Plug one in, then start again.",
  NotReadableError: "The camera is busy. Close the other program that uses it, then start again.",
};
const ENDED = {
  timeout: "The session reached its time limit.",
  moderation_violation: "The server refused this look and ended the session.",
  error: "The server ended the session because of an error.",
  insufficient_credits: "The server has no time left for this session.",
};
const STATUS = { styled: "Live", passthrough: "Live", stalled: "The model is late", crashed: "The model stopped", hidden: "The picture is hidden" };

const $ = (id) => document.getElementById(id);
let connection = null; // from Start to Stop
let media = null;
let recording = null;
let passthrough = false;
let tick = null; // what the server last told of itself

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
  for (const each of $("examples").children) {
    const worn = !passthrough && each.dataset.prompt === prompt;
    each.setAttribute("aria-pressed", String(worn));
    if (worn) showWithin($("examples"), each);
  }
}

function showWithin(row, each) { // where a phone has them in a row; the page itself stays where it is
  const [outer, inner] = [row, each].map((element) => element.getBoundingClientRect());
  if (inner.left < outer.left || inner.right > outer.right) row.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
}

function showOpen(open) {
  $("welcome").hidden = open;
  for (const id of ["camera", "stop", "tools", "split"]) $(id).hidden = !open;
  $("start").disabled = false;
}

function showStatus({ state, reason }) {
  const well = state === "styled" || state === "passthrough";
  say(well ? "live" : "trouble", [STATUS[state] ?? state, reason].filter(Boolean).join(": "));
}

// The look

function look() {
  if (passthrough) return { type: "set_image", image_data: null, prompt: null };
  const prompt = $("prompt").value.trim();
  const second = $("second").value.trim();
  const message = { type: "prompt", prompt, enhance_prompt: $("enhance").checked, transition_s: $("transition").valueAsNumber };
  if (!second) return message;
  const share = $("weight").valueAsNumber / 100;
  const blend = [{ prompt, weight: 1 - share }, { prompt: second, weight: share }];
  return { ...message, prompt: `${prompt} + ${second}`, enhance_prompt: false, blend };
}

function settings() {
  return { type: "settings", strength: $("strength").valueAsNumber, seed: Number($("seed").value), mask: $("mask").value, index: $("index").checked };
}

function sendLook() {
  note("");
  showLook();
  connection?.send(look());
}

function sendSettings() {
  const { value, validity } = $("seed");
  if (value === "" || !validity.valid) return note("The seed is a whole number from 0 to 4294967295.");
  connection?.send(settings());
}

function choose(prompt) {
  passthrough = false;
  if (prompt !== undefined) $("prompt").value = prompt;
  if (!$("prompt").value.trim()) return note("Say in a few words what it should look like.");
  sendLook();
}

function heard(message) {
  switch (message.type) {
    case "prompt_ack":
    case "set_image_ack":
    case "settings_ack":
      return message.success === false ? note(message.error ?? "The server refused this.") : undefined;
    case "record_ack":
    case "recording_ended":
      return recordings.heard(message);
    case "prompt_enhanced":
      return note(`Enhanced: ${message.prompt}`);
    case "effect_skipped":
      return note(`The effect ${message.effect} is left out: ${message.reason}.`);
    case "status":
      return showStatus(message);
    case "generation_tick":
      tick = message;
      return undefined;
    case "generation_ended":
      return ENDED[message.reason] && close(ENDED[message.reason]);
    case "error":
      return message.error_type === "bad_request" ? note(message.error) : undefined;
  }
}

// From Start to Stop

async function openMedia() {
  if (!navigator.mediaDevices) {
    throw new Error("The browser gives the camera to https or localhost pages only. Open this page by the name localhost or with TLS.");
  }
  const chosen = $("source").value;
  try {
    const video = chosen ? { ...CAMERA, deviceId: { exact: chosen } } : CAMERA;
    return await navigator.mediaDevices.getUserMedia({ video, audio: $("microphone").checked });
  } catch (error) {
    throw new Error(CAMERA_ERRORS[error.name] ?? `The camera did not start: ${error.message}`);
  }
}

function use(opened) {
  media?.getTracks().forEach((track) => track.stop());
  media = opened;
  $("camera").srcObject = media;
  const [track] = media.getVideoTracks();
  track.onended = () => track === media?.getVideoTracks()[0] && close("The camera was unplugged or taken away.");
  listCameras(track.getSettings().deviceId);
}

async function listCameras(current) {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const cameras = devices.filter(({ kind }) => kind === "videoinput");
  $("source").replaceChildren(...cameras.map(({ deviceId, label }, n) => new Option(label || `Camera ${n + 1}`, deviceId, false, deviceId === current)));
  $("source").hidden = cameras.length < 2;
}

async function start() {
  complain("");
  $("start").disabled = true;
  say("connecting", "Waiting for the camera");
  try {
    use(await openMedia());
  } catch (error) {
    say("trouble", "Camera off");
    $("start").disabled = false;
    return complain(error.message);
  }
  showOpen(true);
  showLook();
  say("connecting", "Connecting to the server");
  connection = new Connection(media, {
    look: () => [settings(), look()],
    message: heard,
    picture: (stream) => { $("styled").srcObject = stream; },
    state: (name, text) => (name === "live" ? $("state").dataset.state !== "live" && say("live", text) : say("trouble", text)),
    closed: ended,
  });
  recordings.open((message) => connection?.send(message));
}

function close(reason = "") {
  connection?.close(reason);
}

function ended(reason, code) {
  connection = tick = null;
  recordings.close();
  recording?.stop();
  media?.getTracks().forEach((track) => track.stop());
  media = $("camera").srcObject = $("styled").srcObject = null;
  $("figures").textContent = "";
  showOpen(false);
  showRecording();
  say(reason ? "trouble" : "idle", reason ? "Stopped" : "Camera off");
  if (code === "unauthorized") return askKey();
  complain(reason);
  note("");
}

/** The server wants an API key that this page does not have, or not this one. */
function askKey() {
  say("idle", "Camera off");
  $("key-form").hidden = false;
  $("start").hidden = true;
  $("key").value = "";
  $("key").focus();
}

async function changeMedia() {
  if (!connection) return;
  try {
    use(await openMedia());
    await connection.replace(media);
  } catch (error) {
    complain(error.message);
  }
}

// The picture

function showRecording() {
  if (recording?.recorder.state === "inactive") recording = null;
  $("light").hidden = !recording;
  $("record").setAttribute("aria-pressed", String(Boolean(recording)));
  $("record").textContent = recording ? "Stop recording" : "Record";
  if (recording) $("light-time").textContent = `${Math.floor(recording.seconds / 60)}:${String(recording.seconds % 60).padStart(2, "0")}`;
}

function toggleRecording() {
  if (recording) recording.stop();
  else if ($("styled").srcObject) recording = new Recording($("styled").srcObject);
  showRecording();
}

function toggleFullScreen() {
  if (document.fullscreenElement) return document.exitFullscreen();
  return $("frame").requestFullscreen?.();
}

function showSplit() {
  $("frame").style.setProperty("--split", `${$("compare").value}%`);
  $("frame").style.setProperty("--split-shown", Number($("compare").value > 0));
}

let total = 0; // frames shown; Firefox's getVideoPlaybackQuality counts none of a live stream
function count() {
  total += 1;
  $("styled").requestVideoFrameCallback(count);
}

async function measure(before) {
  const now = performance.now();
  const shownNow = total; // waiting below takes time
  const fps = (shownNow - before.total) * 1000 / (now - before.now);
  const { videoWidth: width, videoHeight: height } = $("styled");
  showRecording();
  if (connection && width) {
    $("frame").style.setProperty("--aspect", `${width} / ${height}`);
    const parts = [`${fps.toFixed(0)} fps`];
    const delay = await connection.delay(tick?.step_ms ?? 0);
    if (delay !== undefined) parts.push(`about ${delay.toFixed(0)} ms glass to glass`);
    if (tick?.render_width) parts.push(`rendered at ${tick.render_width}×${tick.render_height}`);
    if (connection) $("figures").textContent = parts.join(" · ");
  }
  setTimeout(measure, 1000, { now, total: shownNow });
}

// The controls

function preset({ prompt, file }) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.prompt = prompt;
  const image = new Image(120, 80);
  image.src = new URL(`presets/${file}.webp`, import.meta.url);
  image.alt = "";
  image.loading = "lazy";
  button.append(image, prompt);
  button.onclick = () => choose(prompt);
  return button;
}

let waiting; // a dragged slider sends at most ten messages a second
function soon(send) {
  clearTimeout(waiting);
  waiting = setTimeout(send, 100);
}

function shown(id, text, send) {
  $(id).oninput = () => {
    $(`${id}-value`).textContent = text($(id).valueAsNumber);
    if (send) soon(send);
  };
}

shown("strength", (x) => `${Math.round(x * 100)} %`, sendSettings);
shown("weight", (x) => `${x} %`, () => $("second").value.trim() && choose());
shown("transition", (x) => `${x} s`);
$("controls").onsubmit = (event) => {
  event.preventDefault();
  choose();
};
$("second").onchange = () => !passthrough && choose();
$("seed").onchange = $("mask").onchange = $("index").onchange = sendSettings;
$("enhance").onchange = () => !passthrough && choose();
$("mirror").onchange = () => $("frame").classList.toggle("mirrored", $("mirror").checked);
$("microphone").onchange = changeMedia;
$("source").onchange = changeMedia;
$("compare").oninput = showSplit;
$("snapshot").onclick = () => snapshot($("styled"), $("mirror").checked);
$("record").onclick = toggleRecording;
$("fullscreen").onclick = toggleFullScreen;
$("passthrough").onclick = () => {
  if (passthrough) return choose();
  passthrough = true;
  sendLook();
};
$("start").onclick = start;
$("key-form").onsubmit = (event) => {
  event.preventDefault();
  keep($("key").value.trim());
  $("key-form").hidden = true;
  $("start").hidden = false;
  start();
};
pushToTalk($("talk"), (words) => (words ? choose(words) : note("Nothing was heard.")), note);
$("stop").onclick = () => close();

function next() {
  const looks = [...$("examples").children];
  looks[(looks.findIndex((each) => each.getAttribute("aria-pressed") === "true") + 1) % looks.length]?.click();
}

const KEYS = {
  b: () => { $("compare").value = $("compare").value === "0" ? 50 : 0; showSplit(); },
  s: () => $("snapshot").click(), r: () => $("record").click(), f: () => $("fullscreen").click(),
  m: () => $("mirror").click(), n: next,
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=range]):not([type=checkbox]), select");
  if (connection && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) KEYS[event.key.toLowerCase()]?.();
});
window.addEventListener("pagehide", () => connection && close());
fetch(new URL("presets.json", import.meta.url)).then((answer) => answer.json()).then((presets) => {
  $("examples").append(...presets.map(preset));
  showLook();
});
$("styled").requestVideoFrameCallback(count);
measure({ now: performance.now(), total });
