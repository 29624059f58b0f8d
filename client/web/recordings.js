// Recordings that the server makes and keeps: begin, end, list, download, delete.

import { headers } from "./key.js";

const $ = (id) => document.getElementById(id);
const api = (path, method = "GET") => fetch(new URL(`v1/recordings${path}`, location.href), { method, headers: headers() });

let current = null; // id while one is being made
let send = () => {};

/** Args: say: sends a message to the server, if there is a connection. */
export function open(say) {
  send = say;
  $("server-record").disabled = false;
}

export function close() {
  current = null;
  $("server-record").disabled = true;
  show();
}

/** The server's answers and news. */
export function heard(message) {
  if (message.type === "record_ack") {
    complain(message.success ? "" : message.error);
    current = message.success && current === "" ? message.recording_id : current || null;
  }
  if (message.type === "recording_ended" && message.recording_id === current) {
    current = null;
    if (message.reason.endsWith("limit") || message.reason === "disk_full") complain(`The recording ended: ${message.reason.replace("_", " ")}.`);
    list();
  }
  show();
}

function show() {
  $("server-record").setAttribute("aria-pressed", String(Boolean(current)));
  $("server-record").textContent = current ? "Stop recording on the server" : "Record on the server";
}

function complain(text) {
  $("recordings-note").textContent = text;
}

async function list() {
  const answer = await api("").catch(() => null);
  if (!answer?.ok) return complain("The list of recordings cannot be read.");
  $("recordings").replaceChildren(...(await answer.json()).map(entry));
}

function entry({ id, prompt, seconds, bytes, state }) {
  const line = document.createElement("li");
  const words = document.createElement("span");
  words.textContent = `${prompt || "camera"}, ${Math.round(seconds)} s, ${(bytes / 1e6).toFixed(1)} MB${state === "interrupted" ? ", interrupted" : ""}`;
  const get = button("Download", `Download the recording of ${prompt || "the camera"}`, () => download(id));
  const remove = button("Delete", `Delete the recording of ${prompt || "the camera"}`, async () => {
    await api(`/${id}`, "DELETE");
    list();
  });
  line.append(words, get, remove);
  return line;
}

function button(text, label, act) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: "quiet", textContent: text, ariaLabel: label, onclick: act });
  return made;
}

async function download(id) {
  const link = document.createElement("a");
  link.download = `reverie-${id}.mp4`;
  if (!key) link.href = new URL(`v1/recordings/${id}/file`, location.href).href;
  else link.href = URL.createObjectURL(await (await api(`/${id}/file`)).blob());
  link.click();
  if (key) setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

$("server-record").onclick = () => {
  complain("");
  send({ type: "record", on: !current, compare: $("record-compare").checked });
  if (!current) current = ""; // until its id is known
};
$("recordings-box").ontoggle = () => $("recordings-box").open && list();
