// OBS Studio's WHIP output, emulated with the library it uses (libdatachannel, as node-datachannel).
// node obs.mjs URL TOKEN FRAMES: FRAMES is a file of H.264 pictures, each with its length before it (32 bits, big endian).
// Like OBS: Opus 111 and H.264 96, actpass, sendonly, no candidate in the offer, no PATCH, exactly 201 and 200, 30 pictures a second,
// and whoever asks for a keyframe is not heard.  Ends with one line of JSON.
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { argv, exit } from "node:process";

const nodeDataChannel = createRequire(argv[5])("node-datachannel");
const [url, token, file] = argv.slice(2);
const began = Date.now();
const peer = new nodeDataChannel.PeerConnection("obs", { iceServers: [], disableAutoNegotiation: true });

const audio = new nodeDataChannel.Audio("0", "SendOnly");
audio.addOpusCodec(111);
audio.addSSRC(1001, "obs", "stream", "audio");
peer.addTrack(audio);
const video = new nodeDataChannel.Video("1", "SendOnly");
video.addH264Codec(96);
video.addSSRC(1002, "obs", "stream", "video");
const track = peer.addTrack(video);
const config = new nodeDataChannel.RtpPacketizationConfig(1002, "obs", 96, 90000);
const packetizer = new nodeDataChannel.H264RtpPacketizer("StartSequence", config, 1200);
packetizer.addToChain(new nodeDataChannel.RtcpSrReporter(config));
packetizer.addToChain(new nodeDataChannel.RtcpNackResponder());
track.setMediaHandler(packetizer);

const headers = { "content-type": "application/sdp", "user-agent": "Mozilla/5.0 (OBS-Studio/32.2.1; Linux x86_64; en-US)" };
if (token) headers.authorization = `Bearer ${token}`;
peer.onLocalDescription(async (sdp) => {
  const offer = sdp.split("\r\n").filter((line) => !line.startsWith("a=candidate") && line !== "a=end-of-candidates").join("\r\n");
  const answer = await fetch(url, { method: "POST", body: offer, headers });
  const location = answer.headers.get("location");
  if (answer.status !== 201 || !location) return end({ error: `POST: ${answer.status} ${await answer.text()}` });
  const place = new URL(location.split("?")[0], url); // OBS drops a query
  track.onOpen(() => send(place, Date.now() - began));
  peer.setRemoteDescription(await answer.text(), "answer");
});
peer.setLocalDescription("offer");
setTimeout(() => end({ error: "not connected in 10 s" }), 10_000).unref();

function* pictures() {
  const bytes = readFileSync(file);
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    yield bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
}

function send(place, connectedMs) {
  const all = pictures();
  let sent = 0;
  const timer = setInterval(async () => {
    const { value, done } = all.next();
    if (!done) {
      config.timestamp += 3000;
      sent += track.sendMessageBinary(value) ? 1 : 0;
      return;
    }
    clearInterval(timer);
    const gone = await fetch(place, { method: "DELETE", headers });
    end({ sent, connectedMs, deleted: gone.status });
  }, 1000 / 30);
}

function end(result) {
  writeSync(1, `${JSON.stringify(result)}\n`);
  exit(result.error ? 1 : 0); // the binding sometimes crashes while it is unloaded: what was written counts
}
