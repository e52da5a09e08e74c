// The microphone as frames of int16 mono PCM, at 16 kHz where the browser can, else at its own rate.

const RATE = 16000;
// What the network was trained on is sound as it came: a browser's clean-up would change the level
// and the colour of a voice, which are what emotion is heard by.
const ASKED = {
  audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
};

const REASONS = {
  NotAllowedError: "The browser was not allowed to use the microphone. Allow it for this page (the sign beside the address), then press Start listening again. A sound file needs no permission.",
  NotFoundError: "No microphone was found. Connect one, then press Start listening again, or open a sound file.",
  NotReadableError: "The microphone is there but gives no sound: another program may be using it. Close that, then press Start listening again.",
};

// Plain words for what getUserMedia threw.
export function microphoneProblem(error) {
  return REASONS[error.name] ?? `The microphone could not be opened (${error.message || error.name}).`;
}

// Opens the microphone; onFrame gets an Int16Array, onLost is called if it is unplugged.
// Resolves to {sampleRate, close()}.
export async function openMicrophone(onFrame, onLost) {
  if (!navigator.mediaDevices) {
    throw new Error("browsers lend it to pages at https:// or http://localhost only");
  }
  const media = await navigator.mediaDevices.getUserMedia(ASKED);
  const stop = () => media.getTracks().forEach((track) => track.stop());
  try {
    const { context, source } = connect(media);
    await context.audioWorklet.addModule("worklet.js");
    const node = new AudioWorkletNode(context, "frames", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = (event) => onFrame(new Int16Array(event.data));
    source.connect(node);
    await context.resume();
    media.getAudioTracks()[0].addEventListener("ended", onLost);
    return {
      sampleRate: context.sampleRate,
      async close() {
        node.port.onmessage = null;
        stop();
        await context.close();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}

function connect(media) {
  let context = new AudioContext({ sampleRate: RATE });
  try {
    return { context, source: context.createMediaStreamSource(media) };
  } catch (error) {
    if (error.name !== "NotSupportedError") throw error; // this browser does not resample
    context.close();
    context = new AudioContext();
    return { context, source: context.createMediaStreamSource(media) };
  }
}
