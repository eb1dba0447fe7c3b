// Failures, each of which travels from its worker to the aggregator.

import { still } from "./dom.js";

const TRAVEL = 700; // ms from the worker to the aggregator

/** Shows a failure on a wire, unless one is on its way there, or the visitor wants no motion. */
export function travel(wire) {
  if (still.matches || document.hidden || wire.nextFailure > performance.now()) return;
  wire.nextFailure = performance.now() + TRAVEL;
  const dot = wire.path.cloneNode();
  dot.setAttribute("class", "failure");
  // A dash of no length is a dot, and the gap is longer than the wire.
  const length = wire.path.getTotalLength();
  dot.style.strokeDasharray = `0.01 ${length + 1}`;
  wire.path.after(dot);
  const run = dot.animate([{ strokeDashoffset: 0 }, { strokeDashoffset: -length }], { duration: TRAVEL, easing: "linear" });
  run.onfinish = run.oncancel = () => dot.remove();
}
