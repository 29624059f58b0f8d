// Media over the control WebSocket, where UDP is closed: WebCodecs here, PyAV there; packets as in client/socket_media.py.

import { SocketSound } from "./socket-sound.js";

const [PICTURE, RECEIVED, KEYFRAME, SOUND] = [0, 1, 2, 3];
const HEADER = 8; // bytes
const CLOCK = 90; // ticks of a picture's time in a millisecond
const WINDOW = 8; // pictures on their way; a browser that hides a page pauses them
const STUCK_MS = 1000; // that a picture is on its way, and sound is left out
const KEY_EVERY = 300;
const START = 2_000_000;
const [FLOOR, CEILING] = [100_000, 4_000_000]; // bits per second
const KINDS = [ // the first that this browser encodes and decodes
  { name: "VP8", codec: "vp8" },
  { name: "H264", codec: "avc1.42e01f", avc: { format: "annexb" } },
];

/** The kind of video that goes both ways; undefined where the browser has no WebCodecs. */
async function agreed(width, height) {
  if (!globalThis.VideoEncoder) return undefined;
  for (const kind of KINDS) {
    const { name, ...config } = kind;
    const encodes = await VideoEncoder.isConfigSupported({ ...config, width, height }).catch(() => ({}));
    const decodes = await VideoDecoder.isConfigSupported({ codec: kind.codec }).catch(() => ({}));
    if (encodes.supported && decodes.supported) return { name, config };
  }
  return undefined;
}

/** Camera and microphone out, the session's picture, of a canvas, and its sound back as a stream. */
export class SocketMedia {
  /** `send` takes text and ArrayBuffers.  Rejects where the browser cannot. */
  static async open(media, send) {
    const film = document.createElement("video");
    film.muted = true;
    film.srcObject = new MediaStream(media.getVideoTracks());
    await film.play();
    const kind = await agreed(film.videoWidth & ~1, film.videoHeight & ~1);
    if (!kind) throw new Error("this browser cannot send video without WebRTC, which a firewall blocks here");
    const opened = new SocketMedia(film, kind, send);
    opened.sound = await SocketSound.open(media.getAudioTracks()[0], (time, bytes) => opened.sounds(time, bytes));
    opened.begin();
    return opened;
  }

  constructor(film, kind, send) {
    Object.assign(this, { film, kind, send, bitrate: START, waiting: new Map(), count: 0, wanted: true, closed: false });
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
    this.stream = this.canvas.captureStream();
    this.encoder = new VideoEncoder({ output: (chunk) => this.encoded(chunk), error: () => this.close() });
    this.newDecoder();
  }

  begin() {
    this.sound?.stream.getTracks().forEach((track) => this.stream.addTrack(track));
    this.send(JSON.stringify({ type: "media", codec: this.kind.name, sound: Boolean(this.sound) }));
    this.film.requestVideoFrameCallback(() => this.took());
  }

  /** The server takes media now; a node of an older version takes no sound. */
  agreed(sound) {
    this.sounding = sound === true;
  }

  newDecoder() {
    this.decoder = new VideoDecoder({
      output: (frame) => this.show(frame),
      error: () => this.closed || (this.newDecoder(), this.say(KEYFRAME)),
    });
    this.decoder.configure({ codec: this.kind.config.codec, optimizeForLatency: true });
    this.fresh = true; // until a keyframe comes
  }

  took() {
    if (this.closed) return;
    this.film.requestVideoFrameCallback(() => this.took());
    const [width, height] = [this.film.videoWidth & ~1, this.film.videoHeight & ~1];
    if (this.waiting.size >= WINDOW || this.encoder.encodeQueueSize > 1 || !width) return;
    if (this.encoder.state === "unconfigured" || width !== this.width || height !== this.height || this.changed) {
      Object.assign(this, { width, height, changed: false });
      this.encoder.configure({ ...this.kind.config, width, height, bitrate: this.bitrate, framerate: 30, latencyMode: "realtime" });
    }
    const frame = new VideoFrame(this.film, { timestamp: Math.round(performance.now() * 1000) });
    this.encoder.encode(frame, { keyFrame: this.wanted || this.count % KEY_EVERY === 0 });
    this.wanted = false;
    this.count += 1;
    frame.close();
  }

  encoded(chunk) {
    const time = Math.round((chunk.timestamp / 1000) * CLOCK) >>> 0;
    const data = new Uint8Array(HEADER + chunk.byteLength);
    chunk.copyTo(data.subarray(HEADER));
    this.waiting.set(time, performance.now());
    this.say(PICTURE, time, chunk.type === "key", data);
  }

  sounds(at, bytes) {
    const [oldest] = this.waiting.values();
    if (!this.sounding || performance.now() - oldest > STUCK_MS) return;
    const data = new Uint8Array(HEADER + bytes.length);
    data.set(bytes, HEADER);
    this.say(SOUND, Math.round(at * CLOCK) >>> 0, false, data);
  }

  say(kind, time = 0, key = false, data = new Uint8Array(HEADER)) {
    const view = new DataView(data.buffer);
    view.setUint8(0, kind);
    view.setUint8(1, Number(key));
    view.setUint32(4, time);
    this.send(data.buffer);
  }

  /** A binary message of the server. */
  hear(buffer) {
    const view = new DataView(buffer);
    const [kind, key, time] = [view.getUint8(0), view.getUint8(1) === 1, view.getUint32(4)];
    if (kind === KEYFRAME) this.wanted = true;
    if (kind === RECEIVED) this.received(time);
    if (kind === SOUND) this.sound?.hear(since(time), new Uint8Array(buffer, HEADER));
    if (kind !== PICTURE) return;
    if (this.fresh && !key) {
      this.say(KEYFRAME);
      return this.say(RECEIVED, time);
    }
    this.fresh = false;
    this.decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: time, data: new Uint8Array(buffer, HEADER) }));
    return undefined;
  }

  /** Round trips steer the rate: a queue that fills makes them longer. */
  received(time) {
    const sent = this.waiting.get(time);
    if (sent === undefined) return;
    for (const each of [...this.waiting.keys()]) {
      this.waiting.delete(each);
      if (each === time) break;
    }
    const now = performance.now();
    const trip = now - sent;
    this.shortest = Math.min(this.shortest ?? trip, trip);
    this.longest = Math.max(this.longest ?? 0, trip);
    if (now < (this.next ?? now)) return;
    const rate = this.bitrate * (this.longest > this.shortest + 150 ? 0.7 : 1.15);
    const bound = Math.round(Math.min(CEILING, Math.max(FLOOR, rate)));
    this.changed = Math.abs(bound - this.encoderRate) > 0.2 * this.encoderRate || this.encoderRate === undefined;
    if (this.changed) this.encoderRate = bound;
    this.bitrate = bound;
    Object.assign(this, { next: now + 1000, longest: 0, shortest: this.shortest * 1.02 });
  }

  show(frame) {
    this.say(RECEIVED, frame.timestamp);
    const wait = this.sound?.wait(since(frame.timestamp)) ?? 0;
    if (wait < 1) return this.draw(frame);
    return setTimeout(() => this.draw(frame), wait);
  }

  draw(frame) {
    const { displayWidth: width, displayHeight: height, timestamp } = frame;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.context.drawImage(frame, 0, 0);
    frame.close();
    this.age = since(timestamp);
  }

  replace(media) {
    this.film.srcObject = new MediaStream(media.getVideoTracks());
    this.film.play().catch(() => {});
  }

  close() {
    this.closed = true;
    for (const each of [this.encoder, this.decoder]) if (each.state !== "closed") each.close();
    this.film.srcObject = null;
    this.sound?.close();
  }
}

/** ms from a time of a camera's picture, or beside it, until now. */
function since(time) {
  return ((Math.round(performance.now() * CLOCK) - time) | 0) / CLOCK;
}
