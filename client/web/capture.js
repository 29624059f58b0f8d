// Pictures and films of what is shown, kept on this computer.

import { marked, markedFilm } from "./provenance.js";

const FORMATS = ["video/webm;codecs=vp9,opus", "video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

/** A PNG of a video as it is shown, marked as made with AI. */
export async function snapshot(video, mirrored) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d");
  if (mirrored) {
    context.translate(canvas.width, 0);
    context.scale(-1, 1);
  }
  context.drawImage(video, 0, 0);
  save(await marked(await new Promise((done) => canvas.toBlob(done, "image/png"))), "png");
}

/** Records a stream until `stop`, which saves it. */
export class Recording {
  constructor(stream) {
    const type = FORMATS.find((each) => MediaRecorder.isTypeSupported(each));
    this.parts = [];
    this.began = Date.now();
    this.recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 4_000_000 });
    this.recorder.ondataavailable = ({ data }) => data.size && this.parts.push(data);
    this.recorder.onstop = async () => save(await markedFilm(this.parts, type), type.startsWith("video/mp4") ? "mp4" : "webm");
    this.recorder.start(1000);
  }

  get seconds() {
    return Math.round((Date.now() - this.began) / 1000);
  }

  stop() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }
}

function save(blob, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `reverie-ai-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
