// The last minute as four lines, with marks for the start, the stop and failures of searches.

import { count, el, plural, short, text } from "./dom.js";

const SPAN = 60; // seconds
const GAP = 5; // seconds without an answer of the server that leave a gap in the lines
const [WIDTH, HEIGHT] = [600, 60]; // of the drawing, which is stretched

const SERIES = [
  { key: "drawn", name: "Drawn", unit: " per second" },
  { key: "tested", name: "Tested", unit: " per second" },
  { key: "found", name: "Found", unit: " per second" },
  { key: "inFlight", name: "In flight", unit: "" },
];

let samples = []; // the oldest first
let marks = []; // { at, kind, words }
let end = 0; // the right edge, which stands still when the search has ended
let seen = { id: 0, failed: 0, isOver: true }; // what the marks have told of the pipeline

const lines = SERIES.map((series) => {
  const figure = el.trends.querySelector(`[data-series=${series.key}]`);
  const svg = figure.querySelector("svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const part = (name) => {
    const path = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    path.setAttribute("class", name);
    return path;
  };
  // The marks below the line.
  const paths = { start: part("mark-start"), stop: part("mark-stop"), failure: part("mark-failure"), line: part("line") };
  return { ...series, svg, paths, now: figure.querySelector("b"), peak: figure.querySelector(".peak") };
});

/** Adds what the server told of a pipeline: the rates, and the pipeline itself for the marks. */
export function add(pipeline, rates) {
  const now = performance.now() / 1000;
  const isKnown = pipeline.id === seen.id;
  // When it has ended, the picture stands still, until the next one starts.
  if (pipeline.ended && (isKnown ? seen.isOver : true) && samples.length > 0) return;
  if (!isKnown) {
    seen = { id: pipeline.id, failed: 0, isOver: false };
    mark(now - pipeline.elapsed_seconds, "start", `search ${pipeline.id} started`);
  }
  if (pipeline.failed > seen.failed) mark(now, "failure", `${plural(pipeline.failed - seen.failed, "item")} failed`);
  seen.failed = pipeline.failed;
  const isOver = pipeline.ended || pipeline.closed === true;
  if (isOver && !seen.isOver) mark(now, "stop", `search ${pipeline.id} ${typeof pipeline.end === "string" ? pipeline.end : "drains"}`);
  // A search that drains goes on, and its last sample is that of its end.
  seen.isOver = pipeline.ended;
  samples.push({ id: pipeline.id, at: now, ...rates, inFlight: pipeline.in_flight });
  end = now;
  samples = samples.filter(({ at }) => at > end - SPAN - GAP);
  draw();
}

function mark(at, kind, words) {
  if (kind === "stop" && marks.some((mark) => mark.kind === kind && mark.id === seen.id)) return;
  marks.push({ at, kind, words, id: seen.id });
  marks = marks.filter(({ at }) => at > performance.now() / 1000 - SPAN);
}

const told = (n) => (Number.isInteger(n) && n < 1000 ? count(n) : short(n));
const x = (at) => (WIDTH * (1 - (end - at) / SPAN)).toFixed(1);

function draw() {
  const visible = marks.filter(({ at }) => at <= end && at > end - SPAN);
  const upright = (kind, from) => visible.filter((mark) => mark.kind === kind).map(({ at }) => `M${x(at)} ${from}V${HEIGHT}`).join("");
  const events = visible.filter(({ kind }) => kind !== "failure").map(({ at, words }) => `; ${words} ${count(end - at)} s ago`).join("");
  for (const { key, name, unit, svg, paths, now, peak } of lines) {
    const most = Math.max(...samples.map((sample) => sample[key]));
    let d = "";
    samples.forEach((sample, i) => {
      const isJoined = i > 0 && sample.id === samples[i - 1].id && sample.at - samples[i - 1].at < GAP;
      const y = HEIGHT - 2 - (most > 0 ? (sample[key] / most) * (HEIGHT - 6) : 0);
      d += `${isJoined ? "L" : "M"}${x(sample.at)} ${y.toFixed(1)}`;
    });
    paths.line.setAttribute("d", d);
    paths.start.setAttribute("d", upright("start", 0));
    paths.stop.setAttribute("d", upright("stop", 0));
    paths.failure.setAttribute("d", upright("failure", HEIGHT - 8));
    const last = samples.at(-1)[key];
    text(now, told(last));
    text(peak, `peak ${told(most)}`);
    svg.setAttribute("aria-label", `${name}${unit} in the last 60 s: ${told(last)}, peak ${told(most)}${events}`);
  }
}
