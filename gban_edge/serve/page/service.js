// What the page asks of the server: REST for files, a WebSocket for the microphone.

const TOKEN = new URLSearchParams(location.search).get("token");
const FIRST_WAIT = 500; // ms until the first attempt to connect again; doubled up to LONGEST_WAIT
const LONGEST_WAIT = 8000;
const MOST_UNSENT = 1 << 18; // bytes of sound held back (8 s at 16 kHz): beyond it frames are dropped

const BUSY = 1013; // close code "try again later"

const PLAIN = {
  400: "The server could not make sense of that.",
  401: "This server wants a token: open the page with ?token=… as it was given to you.",
  413: "That file is too large for this device.",
  415: "That file is of a kind that cannot be read here. Save it as WAV.",
  422: "That sound could not be used.",
  429: "The device is busy with other listeners. Wait a moment, then try again.",
  503: "The device is not ready yet. Wait a moment, then try again.",
};

// Where the server's own words say more of what was sent; those of others are for programs.
const EXPLAINED = new Set([400, 413, 422, 500]);

async function ask(path, options = {}) {
  let answer;
  const headers = TOKEN ? { Authorization: `Bearer ${TOKEN}` } : {};
  try {
    answer = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  } catch {
    throw new Error("The server does not answer. Is gban-edge serve still running?");
  }
  if (answer.ok) return answer.json();
  const said = await answer.json().catch(() => null);
  const plain = PLAIN[answer.status] ?? `The server failed (${answer.status}).`;
  const detail = EXPLAINED.has(answer.status) && said?.error?.message;
  throw new Error(detail ? `${plain} ${sentence(detail)}` : plain);
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

export function describeModel() {
  return ask("v1/model");
}

export function recognizeFile(file, words) {
  const query = words ? `?${new URLSearchParams({ words })}` : "";
  const type = file.type.startsWith("audio/") ? file.type : "audio/wav"; // the server looks into it
  return ask(`v1/recognize${query}`, { method: "POST", body: file, headers: { "Content-Type": type } });
}

// A connection that comes back by itself until close() is called. `on` has ready(), event(message)
// and lost(text, milliseconds until the next attempt).
export class Stream {
  constructor(sampleRate, on) {
    this.sampleRate = sampleRate;
    this.on = on;
    this.wait = FIRST_WAIT;
    this.ready = false;
    this.open();
  }

  open() {
    const place = new URL("v1/stream", location.href);
    place.protocol = place.protocol.replace("http", "ws");
    if (TOKEN) place.searchParams.set("token", TOKEN);
    this.refusal = null;
    this.socket = new WebSocket(place);
    this.socket.onopen = () => this.tell({ type: "start", sample_rate: this.sampleRate, words: null });
    this.socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.socket.onclose = (event) => this.lose(event);
  }

  hear(message) {
    if (message.type === "ready") {
      this.ready = true;
      this.wait = FIRST_WAIT;
      this.on.ready();
    } else {
      if (message.type === "error") this.refusal = message;
      this.on.event(message);
    }
  }

  lose(event) {
    const turnedAway = !this.ready && !this.refusal;
    this.ready = false;
    this.on.lost(this.reason(event), this.wait);
    if (turnedAway) this.findReason(this.wait);
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  // A browser does not say why a WebSocket was refused (no token, no server): another request does.
  findReason(wait) {
    describeModel().catch((error) => {
      if (!this.ready && !this.closed) this.on.lost(error.message, wait);
    });
  }

  reason(event) {
    if (event.code === BUSY || this.refusal?.code === "busy") return "The device is busy with other listeners.";
    if (this.refusal) return sentence(this.refusal.message);
    return "The connection to the server was lost.";
  }

  tell(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // True where the frame was sent: the server's clock counts what it was sent.
  sound(frame) {
    if (!this.ready || this.socket.bufferedAmount > MOST_UNSENT) return false;
    this.socket.send(frame);
    return true;
  }

  // What is being said in the present utterance.
  say(words) {
    if (this.ready) this.tell({ type: "words", text: words });
  }

  end() {
    if (this.ready) this.tell({ type: "end" });
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.ready = false;
    this.socket.onclose = this.socket.onmessage = this.socket.onopen = null;
    this.socket.close();
  }
}
