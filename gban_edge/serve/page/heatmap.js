// The alignment as a heat map: words (in the pairs that the network hears) against time, above the
// waveform. What is drawn comes from a result's alignment, text_weights and speech_weights.

import { envelope } from "./waveform.js";
import { percent } from "./names.js";

const WORDS_A_ROW = 2; // the network's text pool: two words share a step, its sound and its weight
// CSS pixels where a rem is 16.
const ROW = { least: 17, most: 46 };
const WAVE = { least: 44, share: 0.3 };
const STRIP = 14;
const AXIS = 18;
const NUMBER = 44;

// What is drawn, or null for a result without alignment:
//   rows     [{text, weight, start, end, from, to, cells}], cells one number a column
//   columns  [{start, end}] in seconds, one a speech step
//   all      one number a column: what the step gave to a_s, whichever the word
// A cell is the row's weight times what its words attended to the step: alpha [L][K] where the result
// has it; else what all words gave to it, inside the sound (`from` to `to`) that these attended to most.
export function grid(result) {
  if (!result.alignment || !result.speech_weights) return null;
  const columns = stepTimes(result);
  const rows = [];
  for (let i = 0; i < result.alignment.length; i += WORDS_A_ROW) {
    const pair = result.alignment.slice(i, i + WORDS_A_ROW);
    const { start, end } = pair[0];
    const weight = pair.reduce((sum, word) => sum + word.weight, 0);
    const attended = result.alpha?.[i / WORDS_A_ROW];
    const [from, to] = attended ? [0, result.seconds] : [start, end];
    const cells = columns.map((column, k) =>
      column.start < to && column.end > from ? weight * (attended ?? result.speech_weights)[k] : 0,
    );
    rows.push({ text: pair.map((word) => word.word).join(" "), weight, start, end, from, to, cells });
  }
  return { rows, columns, all: result.speech_weights, seconds: result.seconds };
}

// From when to when a column is drawn: around the middle of what its step hears. Steps lie evenly;
// the first hears the first `span` seconds, the last the last of them, and both reach to the edge.
function stepTimes(result) {
  const count = result.speech_weights.length;
  const heard = result.alignment.map((word) => word.end - word.start);
  const span = Math.min(result.seconds, Math.max(0, ...heard));
  const pitch = count > 1 ? (result.seconds - span) / (count - 1) : result.seconds;
  return result.speech_weights.map((_, k) => {
    const centre = span / 2 + k * pitch;
    return {
      start: k === 0 ? 0 : centre - pitch / 2,
      end: k === count - 1 ? result.seconds : centre + pitch / 2,
    };
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
  const look = appearance(canvas);
  const { unit } = look;
  const strip = rows.length ? (STRIP + 6) * unit : 0;
  const axis = AXIS * unit;
  canvas.style.minHeight = `${(rows.length * ROW.least + WAVE.least) * unit + strip + axis}px`;
  const pen = prepare(canvas);
  const { clientWidth: width, clientHeight: height } = canvas;
  const left = gutter(pen, look, rows, strip > 0, width);
  const wave = Math.max(WAVE.least * unit, WAVE.share * height);
  const room = (height - wave - axis - strip) / Math.max(1, rows.length);
  const row = Math.min(ROW.most * unit, Math.max(ROW.least * unit, room));
  const plot = { left, width: width - left - NUMBER * unit, top: 0, row };
  canvas.dataset.plot = JSON.stringify(plot);
  const x = (time) => plot.left + (time / seconds) * plot.width;
  drawRows(pen, look, map, plot, x);
  if (strip) drawStrip(pen, look, map, plot, x, rows.length * row + 4 * unit);
  const below = rows.length * row + strip + 4 * unit;
  drawWave(pen, look, pcm, plot, below, height - axis - below);
  drawAxis(pen, look, plot, x, height - axis, seconds);
}

function prepare(canvas) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * scale);
  canvas.height = Math.round(canvas.clientHeight * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return pen;
}

// The page's colours and fonts; `unit` is a sixteenth of its rem.
function appearance(canvas) {
  const style = getComputedStyle(canvas);
  const get = (name) => style.getPropertyValue(name).trim();
  const unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  const font = (size, weight = 400) => `${weight} ${size * unit}px ${style.fontFamily}`;
  return {
    unit, ink: get("--ink"), quiet: get("--quiet"), line: get("--line"), edge: get("--edge"),
    heat: get("--heat"), font: font(14), bold: font(14, 700), small: font(12),
  };
}

function gutter(pen, look, rows, strip, width) {
  pen.font = look.bold;
  const widths = rows.map((row) => pen.measureText(row.text).width);
  const widest = Math.max(strip ? 56 * look.unit : 0, ...widths) + 10 * look.unit;
  return Math.ceil(Math.min(0.36 * width, widest));
}

function drawRows(pen, look, map, plot, x) {
  if (!map || !map.rows.length) return;
  const greatest = Math.max(...map.rows.flatMap((row) => row.cells)) || 1;
  const most = Math.max(...map.rows.map((row) => row.weight));
  map.rows.forEach((row, i) => {
    const y = plot.top + i * plot.row;
    const first = row.weight === most;
    pen.fillStyle = look.line;
    pen.fillRect(plot.left, y + plot.row - 1, plot.width, 1);
    drawCells(pen, look, map.columns, row, greatest, x, y + 2, plot.row - 4);
    pen.strokeStyle = first ? look.ink : look.edge;
    pen.lineWidth = first ? 2 : 1;
    pen.strokeRect(x(row.start), y + 2, x(row.end) - x(row.start), plot.row - 4);
    const middle = y + plot.row / 2;
    const room = plot.left - 8 * look.unit;
    pen.font = first ? look.bold : look.font;
    label(pen, look.ink, fitted(pen, row.text, room), room, middle);
    label(pen, look.ink, percent(row.weight), plot.left + plot.width + (NUMBER - 2) * look.unit, middle);
  });
}

// Neighbours meet at whole pixels: no seam shows between them.
function drawCells(pen, look, columns, row, greatest, x, y, height) {
  row.cells.forEach((cell, k) => {
    if (!cell) return;
    const from = Math.round(x(Math.max(columns[k].start, row.from)));
    const to = Math.round(x(Math.min(columns[k].end, row.to)));
    pen.fillStyle = `rgb(${look.heat} / ${(0.08 + (0.92 * cell) / greatest).toFixed(3)})`;
    pen.fillRect(from, y, to - from, height);
  });
}

function label(pen, colour, text, right, middle) {
  pen.fillStyle = colour;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.fillText(text, right, middle);
}

function fitted(pen, text, room) {
  let shown = text;
  while (shown.length > 1 && pen.measureText(shown).width > room) shown = `${shown.slice(0, -2)}…`;
  return shown;
}

function drawStrip(pen, look, map, plot, x, y) {
  const greatest = Math.max(...map.all) || 1;
  const height = STRIP * look.unit;
  map.columns.forEach(({ start, end }, k) => {
    const tall = (height * map.all[k]) / greatest;
    pen.fillStyle = look.edge;
    pen.fillRect(Math.round(x(start)), y + height - tall, Math.round(x(end)) - Math.round(x(start)) - 1, tall);
  });
  pen.font = look.small;
  label(pen, look.quiet, "all words", plot.left - 8 * look.unit, y + height / 2);
}

function drawWave(pen, look, pcm, plot, y, height) {
  const middle = y + height / 2;
  pen.fillStyle = look.edge;
  pen.fillRect(plot.left, middle - 0.5, plot.width, 1);
  if (!pcm || !pcm.length) return;
  const columns = envelope(pcm, Math.max(1, Math.floor(plot.width)));
  const loudest = Math.max(0.02, ...columns.map(([low, high]) => Math.max(-low, high)));
  columns.forEach(([low, high], i) => {
    const up = (high / loudest) * (height / 2);
    const down = (-low / loudest) * (height / 2);
    pen.fillRect(plot.left + i, middle - up, 1, Math.max(1, up + down));
  });
}

function drawAxis(pen, look, plot, x, y, seconds) {
  const room = (36 * look.unit * seconds) / plot.width; // seconds that a number takes
  const every = [0.5, 1, 2].find((step) => step > room) ?? 5;
  pen.font = look.small;
  pen.fillStyle = look.quiet;
  pen.textBaseline = "top";
  for (let time = 0; time <= seconds; time += every) {
    pen.textAlign = time === 0 ? "left" : "center";
    pen.fillRect(x(time), y, 1, 4 * look.unit);
    pen.fillText(`${time} s`, x(time), y + 5 * look.unit);
  }
}
