// On the audio thread: a microphone's samples in pieces of 20 ms, each with the number of its first sample.

class Microphone extends AudioWorkletProcessor {
  constructor({ processorOptions: { size } }) {
    super();
    this.size = size;
    this.samples = new Float32Array(size);
    this.filled = 0;
  }

  process([[input]]) {
    for (let n = 0; n < (input?.length ?? 0); n++) {
      this.samples[this.filled++] = input[n];
      if (this.filled < this.size) continue;
      this.port.postMessage({ at: currentFrame + n + 1 - this.size, samples: this.samples }, [this.samples.buffer]);
      this.samples = new Float32Array(this.size);
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
