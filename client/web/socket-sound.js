// Sound beside the pictures of socket-media.js: Opus both ways, and the delay at which both are shown and heard.

const BITRATE = 64_000; // bits per second
const MARGIN_MS = 15; // that sound comes before it is heard: decoding, and what the card takes at once
const SPARE_MS = 10; // more than that, before it is heard sooner: each change is a crack
const MOST_MS = 200; // that pictures wait for it
const [PACKETS, LATE] = [100, 5]; // in which so many may come too late to be heard
const APART_S = 0.005; // that sound may be from its place before it is put there
const SILENT_MS = 1000; // then pictures wait no longer

const kind = (sampleRate) => ({ codec: "opus", sampleRate, numberOfChannels: 1 });

/** A context with a microphone in it: at 48 kHz no encoder has to wait, but Firefox may allow none but the card's rate. */
function heardIn(track) {
  for (const rate of [{ sampleRate: 48_000 }, {}]) {
    const context = new AudioContext({ latencyHint: "interactive", ...rate });
    try {
      return [context, context.createMediaStreamSource(new MediaStream([track]))];
    } catch {
      context.close();
    }
  }
  return [];
}

/** One microphone's way out, and what is heard as `stream`. */
export class SocketSound {
  /** undefined where there is no microphone, or the browser cannot.  `send` takes a time in ms and bytes of Opus. */
  static async open(track, send) {
    if (!track || !globalThis.AudioEncoder || !globalThis.AudioWorkletNode) return undefined;
    const [context, source] = heardIn(track);
    if (!source) return undefined;
    const able = await AudioEncoder.isConfigSupported({ ...kind(context.sampleRate), bitrate: BITRATE }).catch(() => ({}));
    const heard = await AudioDecoder.isConfigSupported(kind(48_000)).catch(() => ({}));
    if (!able.supported || !heard.supported) return void context.close();
    await context.audioWorklet.addModule(new URL("microphone.js", import.meta.url));
    return new SocketSound(context, source, send);
  }

  constructor(context, source, send) {
    const output = context.createMediaStreamDestination();
    Object.assign(this, { context, output, stream: output.stream, delay: 0, early: [], pictures: 0, last: -Infinity, next: 0 });
    this.encoder = new AudioEncoder({ output: (chunk) => this.encoded(chunk, send), error: () => {} });
    this.encoder.configure({ ...kind(context.sampleRate), bitrate: BITRATE });
    this.newDecoder();
    const options = { processorOptions: { size: context.sampleRate / 50 }, channelCount: 1, channelCountMode: "explicit", numberOfOutputs: 0 };
    this.microphone = new AudioWorkletNode(context, "microphone", options);
    this.microphone.port.onmessage = ({ data }) => this.took(data);
    source.connect(this.microphone);
  }

  newDecoder() {
    this.times = []; // of what is being decoded: decoders count on from the first, over gaps too
    this.decoder = new AudioDecoder({ output: (data) => this.play(data, this.times.shift()), error: () => this.closed || this.newDecoder() });
    this.decoder.configure(kind(48_000));
  }

  took({ at, samples }) {
    const { sampleRate } = this.context;
    this.began ??= performance.now() - (1000 * (at + samples.length)) / sampleRate;
    const timestamp = Math.round(1000 * (this.began + (1000 * at) / sampleRate));
    if (this.encoder.state !== "configured") return;
    const data = new AudioData({ format: "f32-planar", sampleRate, numberOfFrames: samples.length, numberOfChannels: 1, timestamp, data: samples });
    this.encoder.encode(data);
    data.close();
  }

  encoded(chunk, send) {
    const bytes = new Uint8Array(chunk.byteLength);
    chunk.copyTo(bytes);
    send(chunk.timestamp / 1000, bytes);
  }

  /** Args: age: ms since it was taken. */
  hear(age, bytes) {
    const now = performance.now();
    this.last = now;
    this.early.push(this.delay - age);
    if (this.early.length >= PACKETS || this.early.filter((each) => each < MARGIN_MS).length > LATE) this.place();
    this.times.push(now - age);
    this.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: 0, data: bytes }));
  }

  /** The delay with which enough of the last packets would have been early enough, and none waited for long. */
  place() {
    const spare = this.early.sort((a, b) => a - b)[LATE] - MARGIN_MS;
    if (spare < 0 || spare > SPARE_MS) this.delay = Math.min(this.pictures + MOST_MS, Math.max(this.pictures, this.delay - spare));
    this.early = [];
  }

  /** How many ms a picture of this age waits for its sound. */
  wait(age) {
    this.pictures += (age - this.pictures) / 16;
    return performance.now() - this.last < SILENT_MS ? this.delay - age : 0;
  }

  play(data, taken) {
    const { context } = this;
    if (context.state !== "running") return data.close();
    const sound = context.createBuffer(data.numberOfChannels, data.numberOfFrames, data.sampleRate);
    for (let n = 0; n < data.numberOfChannels; n++) data.copyTo(sound.getChannelData(n), { planeIndex: n, format: "f32-planar" });
    data.close();
    const behind = performance.now() / 1000 - context.currentTime; // jumps by what the card takes at once
    this.behind = (this.behind ?? behind) + (behind - (this.behind ?? behind)) / 16;
    const due = (taken + this.delay) / 1000 - this.behind;
    const at = Math.abs(due - this.next) > APART_S ? due : this.next;
    if (at < context.currentTime) return;
    const source = new AudioBufferSourceNode(context, { buffer: sound });
    source.connect(this.output);
    source.start(at);
    this.next = at + sound.duration;
  }

  close() {
    this.closed = true;
    for (const each of [this.encoder, this.decoder]) if (each.state !== "closed") each.close();
    this.context.close();
  }
}
