// The list of the searches that are open on the one set of worker threads, of all clients, each with Drain and Stop.

import { count, el, enable, isEnabled, partsOf, plural, short, text } from "./dom.js";
import { describe } from "./settings.js";

const rows = new Map(); // by the id of the search

/** Shows the open ones of these pipelines. `own` is the id of this page's; `act` is called with "drain" or "stop", the id and the event. */
export function show(pipelines, own, act) {
  const open = pipelines.filter(({ ended }) => !ended);
  text(el["searches-title"], open.length === 0 ? "No open search" : plural(open.length, "open search", "open searches"));
  for (const [id, { item }] of rows) {
    if (open.some((pipeline) => pipeline.id === id)) continue;
    // The focus must not be lost with the button that had it.
    if (item.contains(document.activeElement)) el["searches-title"].focus();
    item.remove();
    rows.delete(id);
  }
  for (const pipeline of open) {
    if (!rows.has(pipeline.id)) rows.set(pipeline.id, row(pipeline.id, act));
    fill(rows.get(pipeline.id), pipeline, pipeline.id === own);
  }
}

function row(id, act) {
  const item = el.searches.appendChild(document.createElement("li"));
  const part = partsOf(item);
  const name = part("b", "search-name");
  const settings = part("span", "search-settings");
  const numbers = part("span", "search-numbers");
  const button = (what, word, kind) => {
    const node = part("button", `quiet ${kind}`);
    node.type = "button";
    node.textContent = word;
    node.dataset.act = what;
    node.setAttribute("aria-label", `${word} search ${id}`);
    node.addEventListener("click", (event) => isEnabled(node) && act(what, id, event));
    return node;
  };
  return { item, name, settings, numbers, drain: button("drain", "Drain", "drain"), stop: button("stop", "Stop", "bad"), before: null };
}

function fill(row, pipeline, isOwn) {
  const { id, search, stopped, closed, in_flight: inFlight, emitted, elapsed_seconds: at } = pipeline;
  const tested = pipeline.completed + pipeline.failed;
  const before = row.before ?? { tested: 0, at: 0, rate: 0 };
  const rate = at > before.at ? (tested - before.tested) / (at - before.at) : before.rate;
  row.before = { tested, at, rate };
  const phase = stopped ? ", stopping" : closed ? ", draining" : "";
  text(row.name, `${id}${isOwn ? " (yours)" : ""}${phase}`);
  text(row.settings, describe(search));
  text(row.numbers, `${short(rate)} tested/s, ${count(emitted)} found, ${count(inFlight)} in flight`);
  enable(row.drain, !closed && !stopped);
  enable(row.stop, !stopped);
}

/** Shows no searches, because the server does not answer. */
export function blank() {
  show([], null, null);
  text(el["searches-title"], "Open searches");
}
