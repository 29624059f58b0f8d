// Put into the page before it loads: the camera's frames carry their number, drawn as stamp.py says.
// `stamped.times` says when each number was given, by performance.now(): the moment the page gets the frame from
// the camera, before drawing.  The camera's own exposure and readout are not in it.
(() => {
  const COLUMNS = 16, ROWS = 12, STRIP_ROWS = 2, MARK = [1, 0, 1, 0], BITS = 12, NUMBERS = 1 << BITS, REACH = 45;
  const CONTRAST = 10;
  const devices = navigator.mediaDevices;
  if (!devices) return;
  const getCamera = devices.getUserMedia.bind(devices);
  const stamped = window.stamped = { newest: 0, times: new Map(), canvas: null, read };

  devices.getUserMedia = async (constraints) => stamp(await getCamera(constraints));

  function stamp(stream) {
    const [track] = stream.getVideoTracks();
    const { width, height } = track.getSettings();
    const canvas = stamped.canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    const generator = new MediaStreamTrackGenerator({ kind: "video" });
    const writer = generator.writable.getWriter();
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable.getReader();
    (async () => {
      for (;;) {
        const { value: frame, done } = await reader.read();
        if (done || generator.readyState === "ended") break;
        const number = ++stamped.newest;
        stamped.times.set(number, performance.now());
        stamped.times.delete(number - 4 * REACH);
        pen.drawImage(frame, 0, 0, width, height);
        draw(pen, width, height, number);
        const marked = new VideoFrame(canvas, { timestamp: frame.timestamp });
        frame.close();
        await writer.write(marked).catch(() => {});
      }
      track.stop();
    })();
    return new MediaStream([generator]);
  }

  function draw(pen, width, height, number) {
    number %= NUMBERS;
    const gray = number ^ (number >> 1);
    const w = width / COLUMNS, h = height / ROWS;
    const bits = [...MARK];
    for (let i = 0; i < BITS; i++) bits.push((gray >> i) & 1);
    bits.flatMap((bit) => [bit, 1 - bit]).forEach((white, i) => {
      pen.fillStyle = white ? "#fff" : "#000";
      pen.fillRect((i % COLUMNS) * w, height - (STRIP_ROWS - Math.floor(i / COLUMNS)) * h, w, h);
    });
  }

  // blocks: mean brightness of the 32 blocks; answers the number, or null if it cannot be told.
  function read(blocks) {
    let bits = [];
    for (let i = 0; i < blocks.length; i += 2) {
      const difference = blocks[i] - blocks[i + 1];
      if (Math.abs(difference) < CONTRAST) return null;
      bits.push(difference > 0 ? 1 : 0);
    }
    if (bits[0] !== MARK[0]) bits = bits.map((bit) => 1 - bit);
    if (MARK.some((bit, i) => bits[i] !== bit)) return null;
    let number = 0;
    for (let gray = bits.slice(MARK.length).reduce((sum, bit, i) => sum + (bit << i), 0); gray; gray >>= 1) number ^= gray;
    const age = (((stamped.newest - number) % NUMBERS) + NUMBERS) % NUMBERS;
    return age <= REACH && age < stamped.newest ? stamped.newest - age : null;
  }
})();
