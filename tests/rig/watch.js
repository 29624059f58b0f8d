// Put into the page before it loads: watches what the user sees in the styled video, frame by frame.
// A frame's time is performance.now() inside requestVideoFrameCallback: it has been handed to the compositor.
// A picture is summed up as 16x12 mean colours; the two lowest rows are where stamp.js draws.
(() => {
  const COLUMNS = 16, ROWS = 12, PICTURE_ROWS = 10, CELL = 8;
  const CHANGE = 8, NOISE_FACTOR = 3, HISTORY = 8, DIFFERENT = 10; // mean steps of 255 per colour
  const pen = new OffscreenCanvas(COLUMNS * CELL, ROWS * CELL).getContext("2d", { willReadFrequently: true, alpha: false });
  pen.imageSmoothingQuality = "medium";
  const watch = window.watch = { frames: [], unread: 0, presented: 0, history: [], waiting: null, cells, distance, seen, timed, begin };

  function cells(source) { // (ROWS * COLUMNS * 3) mean colours of the inner part of each cell
    pen.drawImage(source, 0, 0, COLUMNS * CELL, ROWS * CELL);
    const pixels = pen.getImageData(0, 0, COLUMNS * CELL, ROWS * CELL).data;
    const sums = new Float32Array(ROWS * COLUMNS * 3);
    const margin = CELL / 4, inner = CELL - 2 * margin;
    for (let row = 0; row < ROWS; row++) for (let column = 0; column < COLUMNS; column++) {
      const cell = (row * COLUMNS + column) * 3;
      for (let y = row * CELL + margin; y < (row + 1) * CELL - margin; y++) {
        for (let x = column * CELL + margin; x < (column + 1) * CELL - margin; x++) {
          const pixel = (y * COLUMNS * CELL + x) * 4;
          for (let c = 0; c < 3; c++) sums[cell + c] += pixels[pixel + c] / (inner * inner);
        }
      }
    }
    return sums;
  }

  function distance(a, b) { // mean absolute difference of the picture's cells, 0..255
    const n = PICTURE_ROWS * COLUMNS * 3;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += Math.abs(a[i] - b[i]);
    return sum / n;
  }

  function seen() { // what is on the page now: styled picture against the camera's
    const styled = cells(document.querySelector("#styled"));
    return { styled: [...styled], apart: distance(styled, cells(document.querySelector("#camera"))) };
  }

  function onFrame(video, { expectedDisplayTime, presentedFrames }) {
    const now = performance.now();
    const picture = cells(video);
    const blocks = [];
    for (let i = PICTURE_ROWS * COLUMNS * 3; i < picture.length; i += 3) blocks.push((picture[i] + picture[i + 1] + picture[i + 2]) / 3);
    const number = window.stamped?.read(blocks) ?? null;
    const given = number === null ? undefined : window.stamped.times.get(number);
    if (given === undefined) watch.unread++;
    else watch.frames.push([now, now - given, Math.max(now, expectedDisplayTime) - given]);
    watch.presented = presentedFrames;
    if (watch.waiting?.(picture, now)) watch.waiting = null;
    watch.history.push(picture);
    if (watch.history.length > HISTORY) watch.history.shift();
  }

  // Milliseconds from `act` until a frame looks unlike those before it; null after `limit` ms.
  function timed(act, limit = 5000) {
    const before = watch.history.reduce((sum, picture) => sum.map((v, i) => v + picture[i] / watch.history.length), new Float32Array(ROWS * COLUMNS * 3));
    const spread = watch.history.map((picture) => distance(picture, before)).sort((a, b) => a - b);
    const noise = spread[spread.length >> 1] ?? 0; // the median: one odd frame does not blind the watcher
    const threshold = Math.max(CHANGE, NOISE_FACTOR * noise);
    return until((picture) => distance(picture, before) > threshold, act, limit);
  }

  // Milliseconds from the click on Start until the first frame that is styled (or, with `plain`, any frame).
  function begin(plain, limit = 15000) {
    const styled = (picture) => plain || distance(picture, cells(window.stamped.canvas)) > DIFFERENT;
    return until(styled, () => document.querySelector("#start").click(), limit);
  }

  function until(holds, act, limit) {
    return new Promise((resolve) => {
      const from = performance.now();
      const giveUp = setTimeout(() => { watch.waiting = null; resolve(null); }, limit);
      watch.waiting = (picture, now) => {
        if (!holds(picture)) return false;
        clearTimeout(giveUp);
        resolve(now - from);
        return true;
      };
      act();
    });
  }

  addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("#styled");
    const next = () => video?.requestVideoFrameCallback((_, metadata) => { onFrame(video, metadata); next(); });
    next();
  });
})();
