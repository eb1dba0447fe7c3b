// The figures of one pipeline, computed from the answers of /stats.

import { count, el, short, text } from "./dom.js";
import * as fan from "./fan.js";
import * as nodes from "./nodes.js";
import * as observed from "./observed.js";
import * as trends from "./trends.js";

const SMOOTH = 0.5; // time constant of the moving average of a rate, in seconds

const NOTHING = { id: 0, taken: 0, completed: 0, failed: 0, skipped: 0, in_flight: 0, emitted: 0, elapsed_seconds: 0 };
const IDLE = { ...NOTHING, ended: true, limit: 0, workers: [], nodes: [] };
const TOTALS = ["taken", "completed", "failed", "skipped"];
const LIMITS = ["worker", "source", "consumer"];
const RATES = ["taken-rate", "tested-rate", "prime-rate", "failure-rate"];

let before = { ...NOTHING, workers: [], nodes: [], received: null, at: 0 };
const rates = { taken: 0, tested: 0, primes: 0, failures: 0, limits: {}, workers: [], nodes: new Map() };

export const testedRate = () => rates.tested;

/**
 * Shows a pipeline, or that there is none. `workers` is the number of threads, or null if nodes do the work. `received` is the
 * number of primes that this page received from it, or null.
 */
export function show(pipeline, workers, received = null) {
  const now = pipeline ?? IDLE;
  const each = Array.from({ length: now.workers.length || (workers ?? 0) }, (_, i) => now.workers[i] ?? { busy_seconds: 0, items: 0 });
  measure({ ...now, nodes: now.nodes ?? [], workers: each, received, at: performance.now() / 1000 });

  if (workers === null) {
    const told = nodes.told(now);
    const shown = told.filter(({ isShown }) => isShown).map((node) => ({ ...node, items: rates.nodes.get(node.name) ?? 0 }));
    const tested = shown.reduce((sum, { items }) => sum + items, 0);
    fan.showNodes(shown, tested > 0 ? rates.primes / tested : 0);
    nodes.show(told, rates.nodes, !now.ended);
  } else {
    fan.lanes(each.length);
    const tested = rates.workers.reduce((sum, { items }) => sum + items, 0);
    fan.show(rates.workers, tested > 0 ? rates.primes / tested : 0);
  }
  text(el["taken-rate"], short(rates.taken));
  text(el["tested-rate"], short(rates.tested));
  text(el["prime-rate"], short(rates.primes));
  text(el["failure-rate"], short(rates.failures));
  el.failures.hidden = now.failed === 0;
  const isFull = !now.ended && now.in_flight >= 0.95 * now.limit;
  text(el.generating, now.ended ? "idle" : isFull ? "waits: window full" : `batches of ${count(now.batch_size)}`);
  for (const name of TOTALS) text(el[name], count(now[name]));
  el.failed.toggleAttribute("data-bad", now.failed > 0);
  text(el["in-flight"], count(now.in_flight));
  text(el["in-flight-now"], count(now.in_flight));
  text(el["window-now"], now.limit ? count(now.limit) : "–");
  gauge(now.limit, now.in_flight, isFull);
  observed.show(now, rates.limits);
  if (pipeline !== null) trends.add(pipeline, { drawn: rates.taken, tested: rates.tested, found: rates.primes });
}

/** Shows no figures, because the server does not answer. */
export function blank() {
  before = { ...NOTHING, workers: [], nodes: [], received: null, at: 0 };
  fan.show(null);
  nodes.show([], null);
  observed.show(IDLE, {});
  for (const name of [...RATES, ...TOTALS, "in-flight", "in-flight-now", "window-now", "generating"]) text(el[name], "–");
  el.failed.toggleAttribute("data-bad", false);
  gauge(0, 0, false);
}

function gauge(window, inFlight, isFull) {
  const meter = el["in-flight-meter"];
  fan.level(meter, window ? Math.min(1, inFlight / window) : 0);
  meter.toggleAttribute("data-full", isFull);
  meter.setAttribute("aria-valuemax", window);
  // Right after the window was made smaller, more are in flight than it has room for.
  meter.setAttribute("aria-valuenow", Math.min(window, inFlight));
}

/** Computes the rates between two answers by the server's clock, which stands still for a pipeline that has ended. */
function measure(now) {
  if (now.id !== before.id || now.elapsed_seconds < before.elapsed_seconds) {
    before = { ...NOTHING, id: now.id, workers: [], nodes: [], received: null, at: now.at - now.elapsed_seconds };
    Object.assign(rates, { taken: 0, tested: 0, primes: 0, failures: 0, limits: {}, workers: [], nodes: new Map() });
  }
  const elapsed = now.elapsed_seconds - before.elapsed_seconds;
  if (elapsed <= 0 && !now.ended) return;
  const over = now.ended ? 1 : 1 - Math.exp(-elapsed / SMOOTH);
  const toward = (rate, delta, time = elapsed) => (now.ended ? 0 : rate + over * (delta / time - rate));
  const tested = (p) => p.completed + p.failed;
  rates.taken = toward(rates.taken, now.taken - before.taken);
  rates.tested = toward(rates.tested, tested(now) - tested(before));
  for (const key of LIMITS) {
    const spent = (p) => p.verdict?.[`${key}_seconds`] ?? 0;
    rates.limits[key] = toward(rates.limits[key] ?? 0, spent(now) - spent(before));
  }
  rates.failures = toward(rates.failures, now.failed - before.failed);
  // The server counts emitted primes per batch; the count of this page is exact.
  rates.primes =
    now.received === null
      ? toward(rates.primes, now.emitted - before.emitted)
      : toward(rates.primes, now.received - (before.received ?? 0), now.at - before.at);
  rates.workers = now.workers.map((worker, i) => {
    const then = before.workers[i] ?? { busy_seconds: 0, items: 0 };
    return {
      busy: now.ended ? 0 : Math.min(1, Math.max(0, (worker.busy_seconds - then.busy_seconds) / elapsed)),
      items: toward(rates.workers[i]?.items ?? 0, worker.items - then.items),
      rebuilt: worker.rebuilt,
      age: now.ended ? 0 : worker.current?.running_seconds,
    };
  });
  const counted = new Map(before.nodes.map(({ name, items }) => [name, items]));
  rates.nodes = new Map(
    now.nodes.map(({ name, items }) => [name, toward(rates.nodes.get(name) ?? 0, items - (counted.get(name) ?? 0))]),
  );
  before = now;
}
