// The settings of a search: the controls that show them, the address of the page that carries them, and how they are told.

import { count, el, plural, text } from "./dom.js";

// What the positions of a slider stand for; 0 is the default of the server: all, one that suits the finder, none.
const SCALES = {
  pace: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 0],
  window: [0, 1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536],
  panic: [0, 10_000, 1000, 100, 10, 1],
};
const WORDS = {
  bits: String,
  workers: (n) => (n === 0 ? "all" : count(n)),
  pace: (n) => (n === 0 ? "all" : `${count(n)}/s`),
  window: (n) => (n === 0 ? "by the finder" : count(n)),
  panic: (n) => (n === 0 ? "none" : n === 1 ? "each item" : `one in ${count(n)}`),
};
const LIVE = ["pace", "workers", "window", "panic"]; // those that a search can change while it runs

/** Returns what a slider shows as the value of a setting. */
function value(key) {
  // Nodes have threads and work of their own.
  if (known === 0 && isTold && ["workers", "panic"].includes(key)) return 0;
  const place = Number(el[key].value);
  if (key === "workers") return place === Number(el.workers.max) ? 0 : place;
  return SCALES[key]?.[place] ?? place;
}

const finder = () => el.controls.elements.finder.value;

/** Returns the settings that the controls show. */
export const chosen = () => ({ bits: value("bits"), finder: finder(), pace: value("pace"), workers: value("workers"), window: value("window"), panic: value("panic") });

/** Returns those of the settings that the controls show with other values than those of a search, and that take effect with the next. */
export const different = (settings) => differing(settings).filter((key) => !LIVE.includes(key));

/** Returns the settings that a search is to change to at once, with their values. */
export function changes(settings) {
  const now = chosen();
  return Object.fromEntries(differing(settings).filter((key) => LIVE.includes(key)).map((key) => [key, now[key]]));
}

const differing = (settings) => Object.entries(chosen()).filter(([key, value]) => String(settings[key] ?? 0) !== String(value)).map(([key]) => key);

export function describe({ bits, finder, pace, workers = 0, window = 0, panic = 0 }) {
  const words = [`${bits} bits`, finder === "fast" ? "fast" : "trial division"];
  words.push(Number(pace) === 0 ? "all primes" : `${plural(Number(pace), "prime")}/s`);
  if (workers > 0) words.push(`${count(workers)} at a time`);
  if (window > 0) words.push(`window ${count(window)}`);
  if (panic > 0) words.push(panic === 1 ? "each item panics" : `one in ${count(panic)} panics`);
  return words.join(", ");
}

/** Writes beside each slider what it stands for. */
export function label() {
  for (const key of Object.keys(WORDS)) {
    const words = WORDS[key](value(key));
    text(el[`${key}-value`], words);
    el[key].setAttribute("aria-valuetext", words);
  }
}

/** Fits the slider of the workers to the server's number of threads: 0 if nodes do the work. */
export function threads(n) {
  if (n === known && isTold) return;
  [known, isTold] = [n, true];
  const wanted = asked.workers ?? value("workers");
  el.workers.max = n;
  el.workers.value = wanted === 0 ? n : wanted;
  label();
}

// What the address asked for, until the server has told its number of threads.
const asked = {};
let known = 0; // the server's number of threads
let isTold = false; // true if the server has told it

/** Shows the settings in the address of the page; what makes no sense is ignored. */
export function read() {
  for (const [key, word] of new URLSearchParams(location.search)) {
    const number = Number(word);
    if (key === "finder" && ["fast", "trial"].includes(word)) el.controls.elements.finder.value = word;
    else if (!/^\d+$/.test(word)) continue;
    else if (key === "bits") el.bits.value = number;
    else if (key === "workers") asked.workers = number;
    else if (SCALES[key]?.includes(number)) el[key].value = SCALES[key].indexOf(number);
    else continue;
    if (["workers", "window", "panic"].includes(key) && number > 0) el.more.open = true;
  }
  label();
}

/** Puts the settings into the address of the page, so that it can be copied. */
export function write() {
  delete asked.workers;
  history.replaceState(null, "", `?${new URLSearchParams(chosen())}`);
  label();
}
