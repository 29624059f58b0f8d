// Moments of what was streamed: searched, previewed, and replayed where they were recorded.

import { headers as withKey } from "./key.js";

const $ = (id) => document.getElementById(id);
const headers = withKey();
const PREVIEW_MS = 500; // a picture of the strip, while the pointer rests on a moment

let asked = 0; // a later question's answer counts
let open = null; // the moment in the dialog

function query(extra = {}) {
  const fields = { q: $("words").value.trim(), side: $("side").value, limit: 60, ...extra };
  if ($("style").value.trim()) fields.style = $("style").value.trim();
  for (const id of ["after", "before"]) if ($(id).value) fields[id] = new Date($(id).value).getTime() / 1000;
  return new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== ""));
}

async function ask(path, options = {}) {
  const answer = await fetch(new URL(`v1/${path}`, location.href), { ...options, headers: { ...headers, ...options.headers } });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error || `the server answered ${answer.status}`);
  return body;
}

async function search(like = "") {
  const mine = ++asked;
  $("note").textContent = "Searching…";
  const picture = $("picture").files[0];
  try {
    const blank = !$("words").value.trim() && !like && !picture;
    const found = blank ? await ask(`moments?${query()}`)
      : picture && !like ? await ask(`search?${query()}`, { method: "POST", body: picture })
        : await ask(`search?${query(like ? { like, q: "" } : {})}`);
    if (mine === asked) show(found.hits, blank, ["style", "after", "before"].some((id) => $(id).value.trim()));
  } catch (error) {
    if (mine === asked) $("note").textContent = `${error.message}.`;
  }
}

function show(hits, newest, filtered) {
  $("note").textContent = hits.length ? `${hits.length} moments${newest ? ", newest first" : ", best first"}.`
    : newest && !filtered ? "Nothing is kept yet: tick “Keep moments on the server” beside the camera, or run reverie index FOLDER." : "Nothing was found.";
  $("moments").replaceChildren(...hits.map(card));
}

/** Which side's thumbnails are shown: the picture's, or the camera's where that is asked for or nothing else is there. */
const shown = ({ thumbnails }) => (thumbnails.output && !$("show-before").checked ? "output" : "source");

async function thumbnail(image, { id }, side, n) {
  const path = new URL(`v1/moments/${id}/${side}/${n}.webp`, location.href);
  if (!headers["X-API-KEY"]) return void (image.src = path);
  const answer = await fetch(path, { headers });
  if (answer.ok) image.src = URL.createObjectURL(await answer.blob());
}

function card(moment) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const image = Object.assign(new Image(), { alt: "", loading: "lazy" });
  const words = Object.assign(document.createElement("span"), { textContent: moment.caption || moment.style || "camera" });
  const when = Object.assign(document.createElement("span"), { className: "when", textContent: [moment.style, told(moment)].filter(Boolean).join(" · ") });
  const side = shown(moment), count = moment.thumbnails[side] || 0;
  button.type = "button";
  button.append(image, words, when);
  if (count) thumbnail(image, moment, side, 0);
  let timer = 0, n = 0;
  button.onpointerenter = () => count > 1 && (timer = setInterval(() => thumbnail(image, moment, side, ++n % count), PREVIEW_MS));
  button.onpointerleave = () => clearInterval(timer);
  button.onclick = () => replay(moment);
  item.append(button);
  return item;
}

function told({ begin, end, media }) {
  const length = Math.max(1, Math.round(end - begin));
  return `${new Date(begin * 1000).toLocaleString()}, ${length} s${media.startsWith("recording:") ? ", recorded" : ""}`;
}

async function replay(moment) {
  open = moment;
  const stage = $("stage"), [kind, name] = moment.media.split(/:(.*)/);
  stage.className = "";
  if (kind === "recording") {
    const video = Object.assign(document.createElement("video"), { controls: true, autoplay: true, muted: true, playsInline: true });
    const path = new URL(`v1/recordings/${name}/file`, location.href);
    video.onloadedmetadata = () => (video.currentTime = moment.media_s);
    video.onerror = () => strip(moment);
    video.src = headers["X-API-KEY"] ? URL.createObjectURL(await (await fetch(path, { headers })).blob()) : path;
    stage.replaceChildren(video);
  } else strip(moment);
  $("about").textContent = [moment.caption || moment.style, told(moment), kind === "file" ? `${name} at ${Math.round(moment.media_s)} s` : ""].filter(Boolean).join(" · ");
  $("replay").showModal();
}

function strip(moment) {
  const side = shown(moment), images = Array.from({ length: moment.thumbnails[side] || 0 }, () => Object.assign(new Image(), { alt: "" }));
  $("stage").className = "strip";
  $("stage").replaceChildren(...images);
  images.forEach((image, n) => thumbnail(image, moment, side, n));
}

$("search").onsubmit = (event) => {
  event.preventDefault();
  search();
};
$("show-before").onchange = $("picture").onchange = $("side").onchange = () => search();
$("replay").onclose = () => $("stage").replaceChildren();
$("similar").onclick = () => {
  $("replay").close();
  search(open.id);
};
$("forget").onclick = async () => {
  $("replay").close();
  try {
    await ask(`moments/${open.id}`, { method: "DELETE" });
    search();
  } catch (error) {
    $("note").textContent = `${error.message}.`;
  }
};
search();
