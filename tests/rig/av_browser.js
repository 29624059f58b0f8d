// In a page of the server: flashes and beeps are sent as camera and microphone, and looked and listened for in what comes back.
// Gives the lists sent and got: {flashes, beeps}, ms of performance.now(), both by the same eye and ear: what these add, or the
// card, is in both.  And what Chromium says of its buffers: {jitter, apart}, ms.  With `socket` all go over the WebSocket.
async ({ seconds, prompt, socket: overSocket }) => {
  const sound = new AudioContext({ latencyHint: "interactive", sampleRate: 48000 });
  await sound.resume();
  const sent = { flashes: [], beeps: [] }, got = { flashes: [], beeps: [] };
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
  const pen = canvas.getContext("2d");
  const tone = new OscillatorNode(sound, { frequency: 880 }), gate = new GainNode(sound, { gain: 0 });
  const microphone = sound.createMediaStreamDestination();
  tone.connect(gate).connect(microphone);
  tone.start();
  const begin = sound.currentTime + 1;
  for (let n = 0; n < seconds + 5; n++) {
    gate.gain.setValueAtTime(0.8, begin + n);
    gate.gain.setValueAtTime(0, begin + n + 0.1);
  }
  let tick = 0;
  const draw = () => {
    const at = sound.currentTime - begin, on = at >= 0 && at % 1 < 0.1;
    pen.fillStyle = on ? "#e6e6e6" : "#282828";
    pen.fillRect(0, 0, 320, 240);
    pen.fillStyle = "#808080";
    pen.fillRect(tick++ % 300, 0, 4, 4); // something moves, or the capture rests
    if (tick < 1e9) requestAnimationFrame(draw);
  };
  draw();
  const media = new MediaStream([...canvas.captureStream(30).getTracks(), ...microphone.stream.getTracks()]);
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  media.getTracks().forEach((track) => peer.addTrack(track, media));
  const back = new MediaStream();
  const look = (stream, flashes, inverted, left) => {
    const screen = Object.assign(document.createElement("video"), { muted: true, autoplay: true, srcObject: stream });
    Object.assign(screen.style, { position: "fixed", top: 0, left, width: "320px", zIndex: 99 }); // a browser rests what is out of sight
    document.body.append(screen);
    const eye = Object.assign(document.createElement("canvas"), { width: 8, height: 8 }).getContext("2d", { willReadFrequently: true });
    let seen = null;
    const watch = () => {
      eye.drawImage(screen, 0, 0, 8, 8);
      const level = eye.getImageData(4, 6, 1, 1).data[0];
      const light = inverted ? level < 128 : level > 128;
      if (light && seen === false) flashes.push(performance.now());
      seen = light;
      screen.requestVideoFrameCallback(watch);
    };
    screen.requestVideoFrameCallback(watch);
    return screen;
  };
  const listen = (track, beeps) => {
    const ear = sound.createScriptProcessor(256, 1, 1);
    sound.createMediaStreamSource(new MediaStream([track])).connect(ear).connect(sound.destination);
    let heard = true, quiet = 0;
    ear.onaudioprocess = ({ inputBuffer }) => {
      const samples = inputBuffer.getChannelData(0);
      const first = samples.findIndex((x) => Math.abs(x) > 0.1);
      quiet = first < 0 ? quiet + samples.length : 0;
      if (first >= 0 && !heard) beeps.push(performance.now() - (samples.length - first) / 48);
      if (first >= 0) heard = true;
      else if (quiet > 9600) heard = false;
    };
  };
  look(new MediaStream(media.getVideoTracks()), sent.flashes, false, "330px");
  listen(microphone.stream.getAudioTracks()[0], sent.beeps);
  const screen = look(back, got.flashes, Boolean(prompt), 0);
  peer.ontrack = ({ track }) => {
    back.addTrack(track);
    screen.play().catch(() => {});
    if (track.kind === "audio") listen(track, got.beeps);
  };
  const socket = new WebSocket(new URL("v1/stream", location.href).href.replace("http", "ws"));
  socket.binaryType = "arraybuffer";
  await new Promise((open) => { socket.onopen = open; });
  let over = null;
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) return over.hear(data);
    const message = JSON.parse(data);
    if (message.type === "answer") peer.setRemoteDescription(message);
    if (message.type === "media_ack") over.agreed(message.sound);
  };
  socket.send(JSON.stringify(prompt ? { type: "prompt", prompt } : { type: "set_image" }));
  if (overSocket) {
    const { SocketMedia } = await import("/web/socket-media.js");
    over = await SocketMedia.open(media, (data) => socket.send(data));
    over.stream.getTracks().forEach((track) => peer.ontrack({ track }));
  } else {
    await peer.setLocalDescription();
    await new Promise((done) => { if (peer.iceGatheringState === "complete") done(); peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done(); });
    socket.send(JSON.stringify({ type: "offer", sdp: peer.localDescription.sdp }));
  }
  await new Promise((done) => setTimeout(done, 1000 * (seconds + 3)));
  const told = over ? { delay: over.sound.delay, pictures: over.sound.pictures } : await buffers();
  tick = 1e9;
  peer.close();
  over?.close();
  socket.close();
  await sound.close();
  return { sent, got, told };

  async function buffers() {
    const inbound = Object.fromEntries([...(await peer.getStats()).values()].filter((each) => each.type === "inbound-rtp").map((each) => [each.kind, each]));
    const waited = (each) => 1000 * each.jitterBufferDelay / each.jitterBufferEmittedCount;
    return {
      jitter: { audio: waited(inbound.audio), video: waited(inbound.video) },
      apart: inbound.video.estimatedPlayoutTimestamp - inbound.audio.estimatedPlayoutTimestamp,
    };
  }
}
