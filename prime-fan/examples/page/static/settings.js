// The settings of a search: those that the controls show, and how they are told.

import { count, el } from "./dom.js";

/** Returns the settings that the controls show, as text. */
export const chosen = () => Object.fromEntries(new FormData(el.controls));

/** Returns true if the controls show other settings than those of a search. */
export const differ = (settings) => ["bits", "finder", "pace"].some((key) => String(settings[key]) !== chosen()[key]);

export function describe({ bits, finder, pace }) {
  const primes = Number(pace) === 0 ? "all primes" : `${count(pace)} primes/s`;
  return `${bits} bits, ${finder === "fast" ? "fast" : "trial division"}, ${primes}`;
}
