// The sound that is drawn below the heat map; it is kept in this page's memory alone, and briefly.

const KEPT = 30; // seconds of the microphone

// The last 30 s of a stream, addressed by the seconds since it began.
export class Recent {
  constructor(sampleRate) {
    this.sampleRate = sampleRate;
    this.ring = new Int16Array(KEPT * sampleRate);
    this.count = 0; // samples since the stream began
  }

  push(frame) {
    const at = this.count % this.ring.length;
    const first = Math.min(frame.length, this.ring.length - at);
    this.ring.set(frame.subarray(0, first), at);
    this.ring.set(frame.subarray(first), 0);
    this.count += frame.length;
  }

  // The sound from `start` to `end`, in seconds, or null where it is gone.
  cut(start, end) {
    const first = Math.max(0, Math.round(start * this.sampleRate));
    const last = Math.min(this.count, Math.round(end * this.sampleRate));
    if (last <= first || first < this.count - this.ring.length) return null;
    return Float32Array.from({ length: last - first }, (_, i) => this.ring[(first + i) % this.ring.length] / 32768);
  }
}

// The samples of a file's first `seconds`, or null where this browser cannot read it.
export async function fileSound(file, seconds) {
  try {
    const context = new OfflineAudioContext(1, 1, 16000);
    const sound = await context.decodeAudioData(await file.arrayBuffer());
    return sound.getChannelData(0).slice(0, Math.round(seconds * 16000));
  } catch {
    return null;
  }
}

// The lowest and highest sample in each of `columns` equal parts: [[low, high], ...].
export function envelope(pcm, columns) {
  const found = [];
  for (let i = 0; i < columns; i++) {
    const first = Math.floor((i * pcm.length) / columns);
    const last = Math.max(first + 1, Math.floor(((i + 1) * pcm.length) / columns));
    let low = 0;
    let high = 0;
    for (let j = first; j < last && j < pcm.length; j++) {
      low = Math.min(low, pcm[j]);
      high = Math.max(high, pcm[j]);
    }
    found.push([low, high]);
  }
  return found;
}
