// The alignment as a heat map: words (in the pairs that the network hears) against time, above the
// waveform. What is drawn comes from a result's alignment, alpha, speech_times and speech_weights.

import { envelope } from "./waveform.js";
import { percent } from "./names.js";

const WORDS_A_ROW = 2; // the network's text pool: two words share a step, its sound and its weight
// CSS pixels where a rem is 16.
const ROW_MOST = 46;
const WAVE = { least: 40, share: 0.24 };
const STRIP = 14;
const AXIS = 18;
const NUMBER = 44;

// What is drawn, or null for a result without alignment:
//   rows      [{text, weight, start, end, cells}]: cells how much the row attended to each column
//             (alpha), start and end the sound that it attended to most
//   columns   [{start, end}] in seconds, one a speech step
//   all       one number a column: what the step gave to a_s, whichever the word
//   greatest  of all cells
// A result of a server that does not tell alpha and speech_times has no cells and no columns.
export function grid(result) {
  if (!result.alignment) return null;
  const told = Boolean(result.alpha && result.speech_times);
  const rows = [];
  for (let i = 0; i < result.alignment.length; i += WORDS_A_ROW) {
    const pair = result.alignment.slice(i, i + WORDS_A_ROW);
    const { start, end } = pair[0];
    const weight = pair.reduce((sum, word) => sum + word.weight, 0);
    const cells = told ? result.alpha[i / WORDS_A_ROW] : [];
    rows.push({ text: pair.map((word) => word.word).join(" "), weight, start, end, cells });
  }
  const columns = told ? spans(result.speech_times) : [];
  const greatest = Math.max(0, ...rows.flatMap((row) => row.cells));
  return { rows, columns, all: told ? result.speech_weights : [], greatest, told, seconds: result.seconds };
}

// From when to when a column is drawn. Steps overlap in what they hear: a column lies about the
// middle of that and ends half-way to the next; the first and the last reach as far as they hear.
function spans(times) {
  const middle = times.map(([start, end]) => (start + end) / 2);
  const between = (k) => (middle[k] + middle[k + 1]) / 2;
  const last = times.length - 1;
  return times.map(([start, end], k) => ({
    start: k === 0 ? start : between(k - 1),
    end: k === last ? end : between(k),
  }));
}

// What the colours say, in words for everyone.
export function explain(map) {
  if (!map?.rows.length) return "";
  if (!map.told) return "This server does not tell how attention was spread: only the sound that each pair of words attended to most is outlined. Right: weight.";
  const even = percent(1 / map.columns.length);
  return `Colour: attention, up to ${percent(map.greatest)} (evenly: ${even}). Outlined: most. Right: weight.`;
}

// One sentence for those who do not see it.
export function describe(map) {
  if (!map) return "This model does not align words with sound.";
  if (!map.rows.length) return "No words were given: nothing to align, and without them this model’s answer is worth less.";
  const most = map.rows.reduce((best, row) => (row.weight > best.weight ? row : best));
  return (
    `Heat map of ${map.rows.length} pairs of words over ${map.seconds.toFixed(1)} seconds. ` +
    `Counted most: “${most.text}”, ${percent(most.weight)}, heard from ${most.start.toFixed(1)} to ` +
    `${most.end.toFixed(1)} seconds.`
  );
}

// Draws `map` (from grid(), or null) and `pcm` (samples or null) in the canvas, at its CSS size.
// canvas.dataset.plot says where, in CSS pixels: {left, width, top, row, wave: {top, height}}.
export function draw(canvas, map, pcm, seconds) {
  const rows = map?.rows ?? [];
  const look = appearance(canvas);
  const { unit } = look;
  const strip = rows.length && map.told ? (STRIP + 6) * unit : 0;
  const axis = AXIS * unit;
  canvas.style.minHeight = `${(rows.length * look.row + WAVE.least) * unit + strip + axis}px`;
  const pen = prepare(canvas);
  const { clientWidth: width, clientHeight: height } = canvas;
  const left = gutter(pen, look, rows, strip > 0, width);
  const wave = Math.max(WAVE.least * unit, WAVE.share * height);
  const room = (height - wave - axis - strip) / Math.max(1, rows.length);
  const row = Math.min(ROW_MOST * unit, Math.max(look.row * unit, room));
  const plot = { left, width: width - left - NUMBER * unit, top: 0, row };
  const x = (time) => plot.left + (time / seconds) * plot.width;
  drawRows(pen, look, map, plot, x);
  if (strip) drawStrip(pen, look, map, plot, x, rows.length * row + 4 * unit);
  const below = rows.length * row + strip + 4 * unit;
  canvas.dataset.plot = JSON.stringify({ ...plot, wave: { top: below, height: height - axis - below } });
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
    unit, row: parseFloat(get("--row")), ink: get("--ink"), quiet: get("--quiet"), line: get("--line"), surface: get("--surface"), edge: get("--edge"),
    heat: get("--heat"), font: font(14), bold: font(14, 700), small: font(12), tight: font(12.5), tightBold: font(12.5, 700),
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
  const most = Math.max(...map.rows.map((row) => row.weight));
  const [font, bold] = plot.row < 17 * look.unit ? [look.tight, look.tightBold] : [look.font, look.bold];
  map.rows.forEach((row, i) => {
    const y = plot.top + i * plot.row;
    const first = row.weight === most;
    pen.fillStyle = look.line;
    pen.fillRect(plot.left, y + plot.row - 1, plot.width, 1);
    drawCells(pen, look, map, row, x, y + 2, plot.row - 4);
    // Ink on a rim of the panel's own colour: seen on every cell.
    for (const [colour, wide] of [[look.surface, 3.5], [look.ink, first ? 2 : 1.25]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = wide * look.unit;
      pen.strokeRect(x(row.start) + 1, y + 3, x(row.end) - x(row.start) - 2, plot.row - 6);
    }
    const middle = y + plot.row / 2;
    const room = plot.left - 8 * look.unit;
    pen.font = first ? bold : font;
    label(pen, look.ink, fitted(pen, row.text, room), room, middle);
    label(pen, look.ink, percent(row.weight), plot.left + plot.width + (NUMBER - 2) * look.unit, middle);
  });
}

// Neighbours meet at whole pixels: no seam shows between them.
function drawCells(pen, look, map, row, x, y, height) {
  row.cells.forEach((cell, k) => {
    const from = Math.round(x(map.columns[k].start));
    const to = Math.round(x(map.columns[k].end));
    pen.fillStyle = `rgb(${look.heat} / ${(0.06 + (0.94 * cell) / (map.greatest || 1)).toFixed(3)})`;
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
  label(pen, look.quiet, "sound", plot.left - 8 * look.unit, y + height / 2);
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
