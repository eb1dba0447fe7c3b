// What limits a search, what its workers run for the longest time, and how long its items wait and run.

import { count, el, text } from "./dom.js";

const WORDS = { worker: "the workers", source: "the source", consumer: "the consumer" };
const OLD = 0.25; // seconds from which on the age of an item is told: the pause between two looks at the server

/** Returns a duration with its unit. */
export function duration(seconds) {
  const [by, unit] = seconds < 1e-6 ? [1e9, "ns"] : seconds < 1e-3 ? [1e6, "µs"] : seconds < 1 ? [1e3, "ms"] : [1, "s"];
  const n = seconds * by;
  return `${n < 10 ? n.toFixed(1) : count(n)} ${unit}`;
}

/** Returns what limits a search in `limits`, the seconds of each limit, and its share; `null` if there is nothing to tell. */
export function bottleneck(limits) {
  const all = Object.values(limits).reduce((sum, seconds) => sum + seconds, 0);
  if (!(all > 0)) return null;
  const [name, most] = Object.entries(limits).reduce((one, other) => (other[1] > one[1] ? other : one));
  return { name, share: most / all };
}

/** Returns the words for what limits a search. */
export const limit = (name) => (name === "worker" && "remote" in document.documentElement.dataset ? "the nodes" : WORDS[name] ?? name);

/** Shows a pipeline and what limited it of late. */
export function show(pipeline, limits) {
  const found = pipeline.ended ? null : bottleneck(limits);
  if (found) el.stage.dataset.bottleneck = found.name;
  else delete el.stage.dataset.bottleneck;
  text(el.verdict, found ? `${limit(found.name)}, ${Math.floor(found.share * 100)} %` : "–");

  let oldest = null;
  if (!pipeline.ended) {
    pipeline.workers.forEach(({ current }, i) => {
      if (current?.running_seconds >= OLD && !(current.running_seconds <= oldest?.seconds)) oldest = { i, index: current.index, seconds: current.running_seconds };
    });
  }
  text(el.oldest, oldest ? `item ${count(oldest.index)} for ${duration(oldest.seconds)}, worker ${oldest.i + 1}` : "–");

  for (const [key, each] of [["waited", pipeline.queue_wait], ["ran", pipeline.run_time]]) {
    text(el[key], each ? `${duration(each.p50_seconds)} / ${duration(each.p99_seconds)}` : "–");
  }
}
