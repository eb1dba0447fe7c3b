// The summary of this page's last search, which stays until the next one starts.

import { count, el, short, text } from "./dom.js";
import { duration, limit } from "./observed.js";
import { describe } from "./settings.js";

let peak = { id: 0, inFlight: 0 };

/** Notes what the final numbers do not tell. */
export function note({ id, in_flight: inFlight }) {
  peak = { id, inFlight: id === peak.id ? Math.max(peak.inFlight, inFlight) : inFlight };
}

export function hide() {
  el.summary.hidden = true;
}

/** Shows the final numbers of a search, and how it ended, in words. */
export function show(pipeline, words) {
  const seconds = pipeline.elapsed_seconds;
  const tested = pipeline.completed + pipeline.failed;
  const rate = (n) => (seconds > 0 ? `${count(n)} (${short(n / seconds)} /s)` : count(n));
  const sum = (key) => pipeline.workers.reduce((sum, worker) => sum + (worker[key] ?? 0), 0);
  const busy = seconds > 0 && pipeline.workers.length > 0 ? sum("busy_seconds") / seconds / pipeline.workers.length : 0;
  const { verdict, queue_wait: queueWait, run_time: runTime } = pipeline;
  const rows = [
    ["Settings", describe(pipeline.search)],
    ["Drawn", rate(pipeline.taken)],
    ["Tested", rate(tested)],
    ["Found", rate(pipeline.emitted)],
    ["Failed", count(pipeline.failed)],
    ["Skipped", count(pipeline.skipped)],
    ...(pipeline.nodes?.length > 0
      ? [["Nodes that answered", count(pipeline.nodes.length)]]
      : [["Workers rebuilt", count(sum("rebuilt"))], ["Workers busy", `${Math.round(Math.min(1, busy) * 100)} %`]]),
    ["Most in flight", `${count(peak.id === pipeline.id ? peak.inFlight : 0)} of ${count(pipeline.limit)}`],
  ];
  for (const [name, times] of [["Queue wait", queueWait], ["Run time", runTime]]) {
    if (times) rows.push([`${name} p50 / p99`, `${duration(times.p50_seconds)} / ${duration(times.p99_seconds)}`]);
  }
  if (verdict) rows.push(["Limited by", `${limit(verdict.bottleneck)}, ${Math.floor(verdict.share * 100)} % of the time`]);
  text(el["summary-title"], `Search ${pipeline.id} ran for ${seconds.toFixed(1)} s: ${words}`);
  el["summary-rows"].replaceChildren(
    ...rows.map(([name, value]) => {
      const row = document.createElement("div");
      row.appendChild(document.createElement("dt")).textContent = name;
      row.appendChild(document.createElement("dd")).textContent = value;
      return row;
    }),
  );
  el.summary.hidden = false;
}
