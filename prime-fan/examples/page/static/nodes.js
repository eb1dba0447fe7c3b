// The nodes of a search that is done on other machines: as lanes of the fan, and each with its numbers in a table.

import { count, el, partsOf, plural, short, text } from "./dom.js";

const QUIET = 5; // seconds without an answer from which on that is told in colour
const GONE = 60; // seconds after which a node is taken for gone, as on the command line
const MAX_GONE = 100; // the most nodes in the table that are gone

let rows = new Map(); // by the name of the node

/** Returns what became of a node: "left" as it has said, "gone" without a word, "leaving", "silent", or "". */
function fate({ draining, in_flight: inFlight, silent_seconds: silent }, isEnded) {
  if (draining && inFlight === 0) return "left";
  if (isEnded) return "";
  if (silent >= GONE) return "gone";
  return draining ? "leaving" : silent >= QUIET ? "silent" : "";
}

function heard(seconds) {
  if (seconds < 1) return "now";
  return seconds < 120 ? `${Math.floor(seconds)} s ago` : `${Math.floor(seconds / 60)} min ago`;
}

/** Returns the nodes of a pipeline with what became of each: those that are gone last. */
export function told({ nodes = [], ended }) {
  const all = nodes.map((node) => {
    const became = fate(node, ended);
    const ago = ended ? "" : heard(node.silent_seconds);
    const isOver = became === "left" || became === "gone";
    return {
      ...node,
      fate: became,
      heard: ago,
      isOver,
      // One that is over leaves the fan after a while.
      isShown: ended ? !isOver : node.silent_seconds < GONE,
      inFlight: ended ? 0 : Math.min(node.in_flight, node.slots),
      // The second part is left out where there is no room.
      words: [became, ago && `${became && ", "}heard ${ago}`],
    };
  });
  return [...all.filter(({ isOver }) => !isOver), ...all.filter(({ isOver }) => isOver)];
}

/** Fills the table of a search that runs or not. `rates` has the items per second of each node by its name, or is `null` if they are unknown. */
export function show(nodes, rates, isRunning = false) {
  const over = nodes.filter(({ isOver }) => isOver);
  const listed = [...nodes.filter(({ isOver }) => !isOver), ...over.slice(-MAX_GONE)];
  const at = nodes.length - over.length;
  const words = [at > 0 || over.length === 0 ? plural(at, "node") : "", over.length > 0 ? `${count(over.length)} left or gone` : ""];
  text(el["nodes-title"], nodes.length === 0 ? (isRunning ? "No node has answered yet" : "Nodes") : words.filter(Boolean).join(", "));
  el["nodes-table"].hidden = nodes.length === 0;

  const names = new Set(listed.map(({ name }) => name));
  for (const [name, { item }] of rows) {
    if (names.has(name)) continue;
    item.remove();
    rows.delete(name);
  }
  listed.forEach((node, i) => {
    if (!rows.has(node.name)) rows.set(node.name, row(node.name));
    const { item, rate, flight, last } = rows.get(node.name);
    if (el["node-rows"].children[i] !== item) el["node-rows"].insertBefore(item, el["node-rows"].children[i] ?? null);
    item.dataset.fate = node.fate;
    text(rate, rates ? short(rates.get(node.name) ?? 0) : "–");
    text(flight, `${count(node.inFlight)} of ${count(node.slots)}`);
    text(last, [node.fate, node.heard].filter(Boolean).join(", ") || "–");
  });
}

function row(name) {
  const item = document.createElement("tr");
  const cell = partsOf(item);
  const head = cell("th");
  head.scope = "row";
  head.textContent = name;
  return { item, rate: cell("td"), flight: cell("td"), last: cell("td") };
}
