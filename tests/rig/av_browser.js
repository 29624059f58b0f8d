// In a page of the server: flashes and beeps are sent as camera and microphone, and looked and listened for in what comes back.
// Gives the lists sent and got: {flashes, beeps}, ms of performance.now().  The sound is heard where it would go to the sound card.
async ({ seconds, prompt }) => {
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
  let bright = false, loud = false;
  const ticking = setInterval(() => {
    const at = sound.currentTime - begin, on = at >= 0 && at % 1 < 0.1;
    if (on && !loud) sent.beeps.push(performance.now());
    loud = on;
  }, 2);
  let tick = 0;
  const draw = () => {
    const at = sound.currentTime - begin, on = at >= 0 && at % 1 < 0.1;
    pen.fillStyle = on ? "#e6e6e6" : "#282828";
    pen.fillRect(0, 0, 320, 240);
    pen.fillStyle = "#808080";
    pen.fillRect(tick++ % 300, 0, 4, 4); // something moves, or the capture rests
    if (on && !bright) sent.flashes.push(performance.now());
    bright = on;
    if (tick < 1e9) requestAnimationFrame(draw);
  };
  draw();
  const media = new MediaStream([...canvas.captureStream(30).getTracks(), ...microphone.stream.getTracks()]);
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  media.getTracks().forEach((track) => peer.addTrack(track, media));
  const back = new MediaStream();
  const screen = Object.assign(document.createElement("video"), { muted: true, autoplay: true, srcObject: back });
  Object.assign(screen.style, { position: "fixed", top: 0, left: 0, zIndex: 99 }); // a browser rests what is out of sight
  document.body.append(screen);
  const look = Object.assign(document.createElement("canvas"), { width: 8, height: 8 }).getContext("2d", { willReadFrequently: true });
  let seen = null;
  const watch = () => {
    look.drawImage(screen, 0, 0, 8, 8);
    const level = look.getImageData(4, 6, 1, 1).data[0];
    const light = prompt ? level < 128 : level > 128; // the look inverts
    if (light && seen === false) got.flashes.push(performance.now());
    seen = light;
    screen.requestVideoFrameCallback(watch);
  };
  screen.requestVideoFrameCallback(watch);
  peer.ontrack = ({ track }) => {
    back.addTrack(track);
    screen.play().catch(() => {});
    if (track.kind === "video") return;
    const ear = sound.createScriptProcessor(256, 1, 1);
    sound.createMediaStreamSource(new MediaStream([track])).connect(ear).connect(sound.destination);
    let heard = true;
    let quiet = 0;
    ear.onaudioprocess = ({ inputBuffer }) => {
      const samples = inputBuffer.getChannelData(0);
      const first = samples.findIndex((x) => Math.abs(x) > 0.1);
      quiet = first < 0 ? quiet + samples.length : 0;
      if (first >= 0 && !heard) got.beeps.push(performance.now() - (samples.length - first) / 48);
      if (first >= 0) heard = true;
      else if (quiet > 9600) heard = false;
    };
  };
  const socket = new WebSocket(new URL("v1/stream", location.href).href.replace("http", "ws"));
  await new Promise((open) => { socket.onopen = open; });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "answer") peer.setRemoteDescription(message);
  };
  socket.send(JSON.stringify(prompt ? { type: "prompt", prompt } : { type: "set_image" }));
  await peer.setLocalDescription();
  await new Promise((done) => { if (peer.iceGatheringState === "complete") done(); peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done(); });
  socket.send(JSON.stringify({ type: "offer", sdp: peer.localDescription.sdp }));
  await new Promise((done) => setTimeout(done, 1000 * (seconds + 3)));
  tick = 1e9;
  clearInterval(ticking);
  peer.close();
  socket.close();
  await sound.close();
  return { sent, got };
}
