// The alignment as a heat map: words (in the pairs that the network hears) against time, above the
// waveform. What is drawn comes from a result's alignment, text_weights and speech_weights.

import { envelope } from "./waveform.js";
import { percent } from "./names.js";

const WORDS_A_ROW = 2; // the network's text pool: two words share a step, its sound and its weight
const ROW = { least: 17, most: 34 }; // CSS pixels
const WAVE = { least: 44, share: 0.3 };
const STRIP = 14;
const AXIS = 18;

// What is drawn, or null for a result without alignment:
//   rows     [{text, weight, start, end, cells}], cells one number a column
//   columns  [{start, end}] in seconds, one a speech step
//   all      one number a column: what the step gave to a_s, whichever the word
// A cell is the row's weight times its column's, inside the sound that the row attended to most.
export function grid(result) {
  if (!result.alignment || !result.speech_weights) return null;
  const columns = stepTimes(result);
  const rows = [];
  for (let i = 0; i < result.alignment.length; i += WORDS_A_ROW) {
    const pair = result.alignment.slice(i, i + WORDS_A_ROW);
    const { start, end } = pair[0];
    const weight = pair.reduce((sum, word) => sum + word.weight, 0);
    const cells = columns.map((column, k) => {
      const centre = (column.start + column.end) / 2;
      return centre >= start && centre <= end ? weight * result.speech_weights[k] : 0;
    });
    rows.push({ text: pair.map((word) => word.word).join(" "), weight, start, end, cells });
  }
  return { rows, columns, all: result.speech_weights, seconds: result.seconds };
}

// From when to when a column is drawn: around the middle of what its step hears. Steps lie evenly;
// the first hears the first `span` seconds and the last the last of them.
function stepTimes(result) {
  const count = result.speech_weights.length;
  const heard = result.alignment.map((word) => word.end - word.start);
  const span = Math.min(result.seconds, Math.max(0, ...heard));
  const pitch = count > 1 ? (result.seconds - span) / (count - 1) : result.seconds;
  return result.speech_weights.map((_, k) => {
    const centre = span / 2 + k * pitch;
    return { start: Math.max(0, centre - pitch / 2), end: Math.min(result.seconds, centre + pitch / 2) };
  });
}

// One sentence for those who do not see it.
export function describe(map) {
  if (!map) return "This model does not align words with sound.";
  if (!map.rows.length) return "No words were given, so there is nothing to align.";
  const most = map.rows.reduce((best, row) => (row.weight > best.weight ? row : best));
  return (
    `Heat map of ${map.rows.length} pairs of words over ${map.seconds.toFixed(1)} seconds. ` +
    `Counted most: “${most.text}”, ${percent(most.weight)}, heard from ${most.start.toFixed(1)} to ` +
    `${most.end.toFixed(1)} seconds.`
  );
}

// Draws `map` (from grid(), or null) and `pcm` (samples or null) in the canvas, at its CSS size.
// canvas.dataset.plot says where, in CSS pixels: {left, width, top, row}.
export function draw(canvas, map, pcm, seconds) {
  const rows = map?.rows ?? [];
  const strip = map && map.all.length ? STRIP + 6 : 0;
  canvas.style.minHeight = `${rows.length * ROW.least + strip + WAVE.least + AXIS}px`;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const look = colours(canvas);
  pen.font = look.font;
  const left = gutter(pen, rows, strip > 0, width);
  const wave = Math.max(WAVE.least, WAVE.share * height);
  const row = Math.min(ROW.most, Math.max(ROW.least, (height - wave - AXIS - strip) / Math.max(1, rows.length)));
  const plot = { left, width: width - left - 44, top: 0, row };
  canvas.dataset.plot = JSON.stringify(plot);
  const x = (time) => plot.left + (time / seconds) * plot.width;
  drawRows(pen, look, map, plot, x);
  let below = rows.length * row;
  if (strip) {
    drawStrip(pen, look, map, plot, x, below + 4);
    below += strip;
  }
  drawWave(pen, look, pcm, plot, below + 4, height - AXIS - below - 4);
  drawAxis(pen, look, plot, x, height - AXIS, seconds);
}

function colours(canvas) {
  const style = getComputedStyle(canvas);
  const get = (name) => style.getPropertyValue(name).trim();
  return {
    ink: get("--ink"), quiet: get("--quiet"), line: get("--line"), edge: get("--edge"), heat: get("--heat"),
    font: `14px ${style.fontFamily}`, small: `12px ${style.fontFamily}`, bold: `700 14px ${style.fontFamily}`,
  };
}

function gutter(pen, rows, strip, width) {
  pen.save();
  const widths = rows.map((row) => pen.measureText(row.text).width * 1.08);
  pen.restore();
  return Math.ceil(Math.min(0.34 * width, Math.max(strip ? 62 : 0, ...widths) + 10));
}

function shade(look, share) {
  return `rgb(${look.heat} / ${share})`;
}

function drawRows(pen, look, map, plot, x) {
  if (!map || !map.rows.length) return;
  const greatest = Math.max(...map.rows.flatMap((row) => row.cells)) || 1;
  const most = Math.max(...map.rows.map((row) => row.weight));
  map.rows.forEach((row, i) => {
    const y = plot.top + i * plot.row;
    row.cells.forEach((cell, k) => {
      if (!cell) return;
      const { start, end } = map.columns[k];
      pen.fillStyle = shade(look, 0.1 + (0.9 * cell) / greatest);
      pen.fillRect(x(start), y + 2, x(end) - x(start), plot.row - 4);
    });
    const first = row.weight === most;
    pen.strokeStyle = first ? look.ink : look.edge;
    pen.lineWidth = first ? 2 : 1;
    pen.strokeRect(x(row.start), y + 2, x(row.end) - x(row.start), plot.row - 4);
    pen.strokeStyle = look.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(plot.left, y + plot.row - 0.5);
    pen.lineTo(plot.left + plot.width, y + plot.row - 0.5);
    pen.stroke();
    label(pen, look, row.text, plot.left - 8, y + plot.row / 2, first, plot.left - 8);
    pen.textAlign = "right";
    pen.fillText(percent(row.weight), plot.left + plot.width + 42, y + plot.row / 2);
  });
}

function label(pen, look, text, right, middle, strong, room) {
  pen.font = strong ? look.bold : look.font;
  pen.fillStyle = look.ink;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  let shown = text;
  while (shown.length > 1 && pen.measureText(shown).width > room) shown = `${shown.slice(0, -2)}…`;
  pen.fillText(shown, right, middle);
}

function drawStrip(pen, look, map, plot, x, y) {
  const greatest = Math.max(...map.all) || 1;
  map.columns.forEach(({ start, end }, k) => {
    const tall = (STRIP * map.all[k]) / greatest;
    pen.fillStyle = look.quiet;
    pen.fillRect(x(start) + 0.5, y + STRIP - tall, Math.max(1, x(end) - x(start) - 1), tall);
  });
  pen.font = look.small;
  pen.fillStyle = look.quiet;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.fillText("all words", plot.left - 8, y + STRIP / 2);
}

function drawWave(pen, look, pcm, plot, y, height) {
  const middle = y + height / 2;
  pen.fillStyle = look.quiet;
  pen.fillRect(plot.left, middle - 0.5, plot.width, 1);
  if (!pcm || !pcm.length) return;
  const columns = envelope(pcm, Math.max(1, Math.floor(plot.width)));
  const loudest = Math.max(0.02, ...columns.map(([low, high]) => Math.max(-low, high)));
  pen.fillStyle = look.edge;
  columns.forEach(([low, high], i) => {
    const up = (high / loudest) * (height / 2);
    const down = (-low / loudest) * (height / 2);
    pen.fillRect(plot.left + i, middle - up, 1, Math.max(1, up + down));
  });
}

function drawAxis(pen, look, plot, x, y, seconds) {
  const every = seconds > 4 ? 1 : 0.5;
  pen.font = look.small;
  pen.fillStyle = look.quiet;
  pen.textBaseline = "top";
  for (let time = 0; time <= seconds; time += every) {
    pen.textAlign = time === 0 ? "left" : "center";
    pen.fillRect(x(time), y, 1, 4);
    pen.fillText(`${time} s`, x(time), y + 5);
  }
}
