// The page: buttons and drops on one side, the server on the other, view.js between.

import { microphoneProblem, openMicrophone } from "./microphone.js";
import { Stream, describeModel, recognizeFile } from "./service.js";
import { Recent, fileSound } from "./waveform.js";
import { redraw, showLevel, showProblem, showResult, showState, showTable } from "./view.js";

const find = (id) => document.getElementById(id);
const PAUSE = 300; // ms without a key before typed words are sent

let listening = null; // {microphone, stream, recent} while the microphone is open
let opening = false;
let cancelled = false; // while it was opening

function typed() {
  return find("words").value.trim();
}

async function start() {
  if (opening) return;
  opening = true;
  cancelled = false;
  showProblem("");
  showState("waiting", "Opening the microphone");
  try {
    const microphone = await openMicrophone(hear, () => stop("The microphone was disconnected. Connect it, then press Start listening again."));
    if (cancelled) {
      microphone.close();
      showState("idle", "Not listening");
    } else connect(microphone);
  } catch (error) {
    showProblem(microphoneProblem(error));
    showState("idle", "Not listening");
  }
  opening = false;
  showButtons();
}

function connect(microphone) {
  const stream = new Stream(microphone.sampleRate, { ready, event, lost });
  listening = { microphone, stream, recent: new Recent(microphone.sampleRate) };
  showState("waiting", "Connecting");
}

function stop(problem = "") {
  if (opening) {
    cancelled = true;
    showState("idle", "Not listening");
  }
  if (!listening) return;
  listening.stream.close();
  listening.microphone.close();
  listening = null;
  showProblem(problem);
  showState("idle", "Not listening");
  showLevel(-60);
  showButtons();
}

function showButtons() {
  const button = find("listen");
  button.textContent = listening ? "Stop listening" : "Start listening";
  button.setAttribute("aria-pressed", String(listening !== null));
  find("finish").disabled = !listening;
}

function hear(frame) {
  if (!listening) return;
  if (listening.stream.sound(frame)) listening.recent.push(frame);
  let sum = 0;
  for (const sample of frame) sum += sample * sample;
  showLevel(10 * Math.log10(sum / frame.length / 32768 ** 2 + 1e-12));
}

function ready() {
  listening.recent = new Recent(listening.microphone.sampleRate); // the server's clock begins anew
  showProblem("");
  showState("listening", "Listening");
}

function lost(text, wait) {
  showProblem(`${text} Trying again in ${Math.ceil(wait / 1000)} s.`);
  showState("lost", "Not connected");
}

function event(message) {
  if (message.type === "level") {
    if (message.speaking) showState("speaking", "Hearing speech");
    else showState("listening", "Listening");
  } else if (message.type === "speech_started") {
    showState("speaking", "Hearing speech");
    if (typed()) listening.stream.say(typed()); // words belong to one utterance: each is told them
  } else if (message.type === "result") {
    showState("listening", "Listening");
    showProblem("");
    const { start: from, end, result } = message;
    const pcm = listening.recent.cut(from, Math.min(end, from + result.seconds));
    showResult(result, pcm, message.latency);
  } else if (message.type === "error") {
    showProblem(message.message);
  }
}

async function open(file) {
  if (!file) return;
  showProblem("");
  find("panels").setAttribute("aria-busy", "true");
  try {
    const result = await recognizeFile(file, typed());
    showResult(result, await fileSound(file, result.seconds), result.timings.total);
  } catch (error) {
    showProblem(error.message);
  }
  find("panels").removeAttribute("aria-busy");
}

function wireFiles() {
  find("choose").addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", async () => {
    await open(find("file").files[0]);
    find("file").value = ""; // so that the same file may be chosen again
  });
  let depth = 0; // of elements that the drag is over
  const over = (change) => {
    depth = Math.max(0, depth + change);
    find("drop").hidden = depth === 0;
  };
  addEventListener("dragenter", () => over(1));
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (drag) => drag.preventDefault());
  addEventListener("drop", (drag) => {
    drag.preventDefault();
    over(-depth);
    open(drag.dataTransfer.files[0]);
  });
}

function wireWords() {
  let pause;
  const send = () => listening?.stream.say(typed());
  find("words").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(send, PAUSE);
  });
  find("words").addEventListener("change", () => {
    clearTimeout(pause);
    send();
  });
}

find("listen").addEventListener("click", () => (listening || opening ? stop() : start()));
find("map-switch").addEventListener("click", () => {
  showTable(find("map-text").hidden);
  redraw();
});
find("finish").addEventListener("click", () => listening?.stream.end());
addEventListener("keydown", (press) => {
  if (press.key === "Escape") stop();
});
wireFiles();
wireWords();
new ResizeObserver(redraw).observe(find("heat"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
// Beyond loopback the sound leaves the device that shows this page.
if (!/^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname))
  find("place").textContent = `on ${location.hostname}, where this page sends the sound`;
describeModel().then(
  (model) => { find("model").textContent = `Model of ${model.labels.length} emotions; ${model.backend}. Utterances are heard up to ${model.max_seconds} s.`; },
  (error) => showProblem(error.message),
);
