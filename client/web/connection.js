// One camera's connection to the server, kept alive: /v1/stream with WebRTC, or without where that fails; see client/protocol.py.

import { key } from "./key.js";
import { SocketMedia } from "./socket-media.js";

const MAX_BITRATE = 2_500_000; // bits per second, enough for 512x288 at 30 fps
const ICE_PATIENCE_MS = 8000; // a firewall that swallows packets lets ICE try for half a minute
const FIRST_WAIT_MS = 400;
const TRIES = 8; // about half a minute
const FATAL = new Set(["model_not_found", "bad_offer", "unsupported", "at_capacity", "unauthorized"]);

/**
 * hooks: { look(): messages to begin with; message(m); picture(stream); state(name, text); closed(reason) }.
 * States: connecting, live, waiting (trying again), as words for people in `text`.
 */
export class Connection {
  constructor(media, hooks) {
    this.media = media;
    this.hooks = hooks;
    this.tries = 0;
    this.session = Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");
    this.nodes = [new URL(".", location.href).href]; // that may have the session, the next to be tried first
    this.open();
  }

  open() {
    const url = new URL("v1/stream", this.nodes[0]);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.search = location.search;
    if (!url.searchParams.has("session")) url.searchParams.set("session", this.session);
    url.searchParams.set("queue", "1");
    if (key()) url.searchParams.set("api_key", key()); // a browser sets no header here; the server takes it out at once
    const socket = this.socket = new WebSocket(url);
    const peer = this.peer = this.openPeer();
    socket.binaryType = "arraybuffer";
    this.connected = false;
    let last = Promise.resolve(); // messages are handled one after the other
    this.failure = "";
    socket.onopen = () => this.offer().catch((error) => this.lost(error.message));
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) return void this.over?.hear(data);
      last = last.then(() => peer === this.peer && this.receive(JSON.parse(data))).catch((error) => this.lost(error.message));
    };
    socket.onclose = ({ reason }) => last.then(() => {
      if (peer === this.peer) this.lost(reason || "the server closed the connection, or cannot be reached");
    });
  }

  openPeer() {
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    for (const track of this.media.getTracks()) {
      const sendEncodings = track.kind === "video" ? [{ maxBitrate: MAX_BITRATE }] : undefined;
      const { sender } = peer.addTransceiver(track, { streams: [this.media], sendEncodings });
      // A new size makes the model forget what it showed, so a poor link should cost frames instead.
      if (track.kind === "video") sender.setParameters({ ...sender.getParameters(), degradationPreference: "maintain-resolution" }).catch(() => {});
    }
    const back = new MediaStream();
    peer.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate !== "") this.send({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null });
    };
    peer.ontrack = ({ track }) => {
      back.addTrack(track);
      this.hooks.picture(back);
    };
    peer.onconnectionstatechange = () => {
      if (peer !== this.peer) return;
      if (peer.connectionState === "connected") {
        this.flows();
      }
      if (peer.connectionState === "disconnected") this.hooks.state("waiting", "Video interrupted, waiting");
      if (peer.connectionState === "failed") this.connected ? this.lost("the video connection failed") : this.overSocket();
    };
    return peer;
  }

  flows() {
    clearTimeout(this.patience);
    this.connected = true;
    this.tries = 0;
    this.hooks.state("live", "Live");
  }

  /** Pictures and sound go over the WebSocket: a firewall lets no UDP through. */
  async overSocket() {
    clearTimeout(this.patience);
    if (this.over || this.connected) return;
    const { socket, peer } = this;
    peer.close();
    try {
      const over = await SocketMedia.open(this.media, (data) => socket.readyState === WebSocket.OPEN && socket.send(data));
      if (peer !== this.peer) return over.close();
      this.over = over;
      this.hooks.picture(over.stream);
    } catch (error) {
      if (peer === this.peer) this.lost(error.message);
    }
  }

  async offer() {
    this.hooks.look().forEach((message) => this.send(message));
    await this.peer.setLocalDescription();
    this.send({ type: "offer", sdp: this.peer.localDescription.sdp });
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  async receive(message) {
    if (message.type === "answer") {
      this.patience = setTimeout(() => this.overSocket(), ICE_PATIENCE_MS);
      return this.peer.setRemoteDescription(message);
    }
    if (message.type === "media_ack") {
      this.over?.agreed(message.sound);
      return this.flows();
    }
    if (message.type === "nodes") {
      const others = message.urls.map((each) => new URL("/", each).href).filter((each) => each !== this.nodes[0]);
      this.nodes = [this.nodes[0], ...others];
      return undefined;
    }
    if (message.type === "queue_position") {
      const when = message.eta_s === null ? "" : `, about ${Math.ceil(message.eta_s)} s`;
      return this.hooks.state("waiting", `All places are taken; you are number ${message.position} of ${message.queue_size} in line${when}`);
    }
    if (message.type === "ice-candidate") return message.candidate && this.peer.addIceCandidate(message.candidate);
    if (message.type === "error") {
      this.failure = message.error;
      if (FATAL.has(message.error_type)) return this.close(message.error, message.error_type);
    }
    return this.hooks.message(message);
  }

  /** Another camera or microphone, without a new connection where the kinds of tracks stay. */
  async replace(media) {
    const kinds = (tracks) => tracks.map((track) => track.kind).sort().join();
    const before = this.media;
    this.media = media;
    if (this.over && !media.getAudioTracks().length && !before.getAudioTracks().length) return this.over.replace(media);
    if (this.over) {
      this.over.close();
      this.over = null;
      this.connected = false;
      return this.overSocket();
    }
    if (kinds(media.getTracks()) !== kinds(this.peer.getSenders().map((sender) => sender.track).filter(Boolean))) {
      this.hangUp();
      return this.open();
    }
    for (const sender of this.peer.getSenders()) {
      await sender.replaceTrack(media.getTracks().find((track) => track.kind === sender.track.kind));
    }
  }

  lost(reason) {
    this.hangUp();
    if (this.tries >= TRIES) return this.close(`Gave up after ${TRIES} tries: ${this.failure || reason}.`);
    this.tries += 1;
    this.nodes = [...this.nodes.slice(1), this.nodes[0]];
    this.hooks.state("waiting", `Connection lost, try ${this.tries} of ${TRIES}: ${this.failure || reason}`);
    this.timer = setTimeout(() => this.open(), Math.min(8000, FIRST_WAIT_MS * 2 ** (this.tries - 1)));
  }

  hangUp() {
    const { socket, peer } = this;
    clearTimeout(this.patience);
    this.over?.close();
    this.over = null;
    this.socket = { readyState: WebSocket.CLOSED };
    this.peer = { getStats: async () => new Map(), getSenders: () => [] };
    socket.close?.();
    peer.close?.();
  }

  /** Args: code: the server's word for why, if it refused. */
  close(reason = "", code = "") {
    clearTimeout(this.timer);
    this.hangUp();
    this.hooks.closed(reason, code);
  }

  /** Estimated glass-to-glass time in ms from what browser and server measure of its parts; undefined before it can be known. */
  async delay(stepMs) {
    if (this.over) return this.over.age;
    const stats = [...(await this.peer.getStats()).values()];
    const sent = stats.find((s) => s.type === "outbound-rtp" && s.kind === "video");
    const got = stats.find((s) => s.type === "inbound-rtp" && s.kind === "video");
    const pair = stats.find((s) => s.type === "candidate-pair" && s.nominated);
    if (!sent?.framesEncoded || !got?.framesDecoded || pair?.currentRoundTripTime === undefined) return undefined;
    const encode = sent.totalEncodeTime / sent.framesEncoded;
    const decode = (got.totalProcessingDelay ?? got.totalDecodeTime) / got.framesDecoded; // from the first packet to the picture
    return 1000 * (2 * encode + 2 * decode + pair.currentRoundTripTime) + stepMs; // the server encodes and decodes as well
  }
}
