// Runs on the sound thread: gathers the microphone's samples (mono, -1 to 1) into frames of int16.

const FRAMES_A_SECOND = 25;

class Frames extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(Math.round(sampleRate / FRAMES_A_SECOND));
    this.filled = 0;
  }

  process(inputs) {
    const channel = inputs[0][0];
    if (!channel) return true; // nothing is connected yet
    for (const sample of channel) {
      this.frame[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.filled === this.frame.length) this.send();
    }
    return true;
  }

  send() {
    this.port.postMessage(this.frame.buffer, [this.frame.buffer]);
    this.frame = new Int16Array(Math.round(sampleRate / FRAMES_A_SECOND)); // the old one has moved
    this.filled = 0;
  }
}

registerProcessor("frames", Frames);
