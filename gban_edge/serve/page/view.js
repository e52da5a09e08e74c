// Puts results into the page. Everything that comes from outside goes in as text, never as markup.

import { GATES, fullName, percent } from "./names.js";
import { describe, draw, explain, grid } from "./heatmap.js";

const COLUMNS = 10; // results kept in sight
const INVITATION = { // in a result's place, before the first
  idle: "Press Start listening, or open a sound file.",
  listening: "Listening: speak.",
  speaking: "Hearing speech. The answer comes when you pause.",
};
const find = (id) => document.getElementById(id);

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

let shown = null; // the result, grid and sound that the heat map draws again when its size changes
const past = []; // {when, result}, the newest last

// `pcm` is the sound that was heard, or null; `latency` the seconds that were waited for the answer.
export function showResult(result, pcm, latency) {
  showLabel(result, latency);
  showBars(find("probabilities"), probabilityBars(result));
  showGates(result.contributions);
  showMap(result, pcm);
  past.push({ when: new Date(), result });
  if (past.length > COLUMNS) past.shift();
  showHistory();
}

function showLabel(result, latency) {
  const best = bestOf(result);
  const name = result.abstained ? "not sure" : fullName(result.label);
  find("label").textContent = name;
  find("label").className = result.abstained ? "unsure" : "";
  const share = percent(result.confidence);
  find("confidence").textContent = result.abstained
    ? `Most likely ${fullName(best)}, but only ${share}.`
    : `Probability ${share}`;
  const took = 1000 * latency;
  const facts = [`${result.seconds.toFixed(1)} s of sound`, `answered in ${took.toFixed(took < 10 ? 1 : 0)} ms`];
  find("facts").textContent = [...facts, ...result.notes].join("; ");
  announce(
    result.abstained
      ? `Not sure. Most likely ${fullName(best)}, ${share}.`
      : `${name}, ${share}.`,
  );
}

function bestOf(result) {
  return Object.entries(result.probabilities).reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}

// A new node each time, so that the same words twice are said twice.
export function announce(text) {
  find("announce").replaceChildren(make("span", "", text));
}

function probabilityBars(result) {
  const best = result.abstained ? "" : result.label;
  return Object.entries(result.probabilities).map(([label, share]) => ({
    key: label, name: fullName(label), share, className: label === best ? "best" : "",
  }));
}

// Bars are made once and then only change, so that their widths can glide.
function showBars(list, bars) {
  for (const { key, name, code, share, className = "", kind = "" } of bars) {
    let bar = list.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!bar) bar = addBar(list, key, name, code, kind);
    bar.style.width = `${100 * share}%`;
    const value = bar.closest("dd");
    value.querySelector(".number").textContent = percent(share);
    for (const element of [value, value.previousElementSibling]) element.className = className;
  }
}

function addBar(list, key, name, code, kind) {
  const term = make("dt", "", name);
  if (code) term.append(" ", make("code", "", code));
  const value = make("dd");
  const track = make("div", "track");
  const bar = make("span", `bar ${kind}`);
  bar.dataset.key = key;
  track.append(bar);
  value.append(make("span", "number"), track);
  list.append(term, value);
  return bar;
}

function showGates(contributions) {
  const list = find("contributions");
  find("no-gates").textContent = contributions ? "" : "This model has no gates.";
  list.hidden = !contributions;
  if (!contributions) return;
  for (const [i, { title, shares }] of GATES.entries()) {
    if (!list.children[i]) list.append(gate(title));
    const bars = shares.map(([key, name, kind]) => ({ key, name, code: key, kind, share: contributions[key] }));
    showBars(list.children[i].querySelector("dl"), bars);
  }
}

function gate(title) {
  const part = make("section");
  part.append(make("h3", "", title), make("dl", "bars"));
  return part;
}

function showMap(result, pcm) {
  const map = grid(result);
  shown = { map, pcm, seconds: Math.max(result.seconds, 0.1) };
  find("heat").setAttribute("aria-label", describe(map));
  find("map-help").textContent = explain(map);
  find("map-help").hidden = !map?.rows.length;
  find("map-said").textContent = map?.rows.length ? "" : describe(map);
  find("map-switch").hidden = !map?.rows.length;
  showTable(map?.rows.length && find("map-switch").getAttribute("aria-pressed") === "true");
  find("map-table").tBodies[0].replaceChildren(...(result.alignment ?? []).map(tableRow));
  redraw();
}

// The same as a table, in the heat map's place.
export function showTable(open) {
  find("map-switch").setAttribute("aria-pressed", String(Boolean(open)));
  find("map-text").hidden = !open;
  find("heat").hidden = Boolean(open);
}

function tableRow({ word, start, end, weight }) {
  const row = make("tr");
  const head = make("th", "", word);
  head.scope = "row";
  row.append(head, make("td", "", start.toFixed(2)), make("td", "", end.toFixed(2)), make("td", "", percent(weight)));
  return row;
}

export function redraw() {
  if (shown && !find("heat").hidden) draw(find("heat"), shown.map, shown.pcm, shown.seconds);
}

function showHistory() {
  find("no-history").hidden = true;
  const table = find("timeline");
  const times = make("tr");
  times.append(make("td"));
  const blank = Array.from({ length: COLUMNS - past.length }, () => null);
  const columns = [...blank, ...past];
  let before = ""; // the same minute is written once, and at the newest
  for (const one of columns) {
    times.append(one ? timeHead(one.when, one === past.at(-1) ? "" : before) : make("td"));
    before = one ? clock(one.when) : "";
  }
  table.tHead.replaceChildren(times);
  const labels = Object.keys(past.at(-1).result.probabilities);
  table.tBodies[0].replaceChildren(...labels.map((label) => historyRow(label, columns)));
  table.parentElement.scrollLeft = table.scrollWidth;
}

function clock(when) {
  return when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

function timeHead(when, before) {
  const head = make("th");
  head.append(make("span", clock(when) === before ? "hidden" : "", clock(when)));
  head.scope = "col";
  return head;
}

function historyRow(label, columns) {
  const row = make("tr");
  const head = make("th", "", fullName(label));
  head.scope = "row";
  row.append(head);
  for (const one of columns) {
    const cell = make("td");
    const share = one?.result.probabilities[label];
    if (share !== undefined) {
      const best = label === bestOf(one.result);
      cell.className = best ? (one.result.abstained ? "unsure" : "best") : "";
      cell.title = `${fullName(label)} ${percent(share)}`;
      const bar = make("span", "column");
      bar.style.height = `${1.35 * share}rem`;
      cell.append(bar, make("span", "hidden", percent(share)));
    }
    row.append(cell);
  }
  return row;
}

// `decibels` relative to full scale, -60 to 0.
export function showLevel(decibels) {
  const level = Math.max(-60, Math.min(0, decibels));
  find("level-bar").style.transform = `scaleX(${(level + 60) / 60})`;
  find("level").setAttribute("aria-valuenow", Math.round(level));
  find("level").setAttribute("aria-valuetext", level > -60 ? `${Math.round(level)} decibels` : "silence");
}

// `state` is idle, waiting, listening, speaking or lost.
export function showState(state, text) {
  find("status").dataset.state = state;
  if (!past.length) find("confidence").textContent = INVITATION[state] ?? text;
  if (find("state").textContent !== text) find("state").textContent = text;
}

export function showProblem(text) {
  const problem = find("problem");
  problem.hidden = !text;
  if (problem.textContent !== text) problem.textContent = text;
}
