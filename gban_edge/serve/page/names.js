// Words for codes and numbers.

const FULL_NAMES = { ang: "angry", hap: "happy", neu: "neutral", sad: "sad" };

// What people are shown for a label of the model.
export function fullName(label) {
  return FULL_NAMES[label] ?? label;
}

export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

// The gates: each pair of shares sums to 1.
export const GATES = [
  { title: "Word by word, aligned", shares: [["a_s", "Sound", "speech"], ["a_t", "Words", "text"]] },
  { title: "The utterance as a whole", shares: [["h_s", "Sound", "speech"], ["h_t", "Words", "text"]] },
];
