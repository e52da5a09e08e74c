// Words for codes and numbers.

const FULL_NAMES = { ang: "angry", hap: "happy", neu: "neutral", sad: "sad" };

// What people are shown for a label of the model.
export function fullName(label) {
  return FULL_NAMES[label] ?? label;
}

// Rounded, but never to a certainty that it is not.
export function percent(share) {
  if (share > 0.995 && share < 1) return ">99%";
  if (share > 0 && share < 0.005) return "<1%";
  return `${Math.round(100 * share)}%`;
}

// The gates: each pair of shares sums to 1.
export const GATES = [
  { title: "Word by word", shares: [["a_s", "Sound", "speech"], ["a_t", "Words", "text"]] },
  { title: "As a whole", shares: [["h_s", "Sound", "speech"], ["h_t", "Words", "text"]] },
];
