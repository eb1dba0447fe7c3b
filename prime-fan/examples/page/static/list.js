// The list of the newest primes, drawn at most once per frame.

import { count, el, text } from "./dom.js";

/** How many primes are kept for the list and for copying; the stream is endless. */
export const KEPT = 200;

let found = 0; // as counted by the server
let newest = []; // the newest last
let drawn = 0; // the count up to which the list was drawn
let planned = 0; // the request of the next frame, or 0

export const received = () => found;

export function clear() {
  cancelAnimationFrame(planned);
  planned = found = drawn = 0;
  newest = [];
  el.primes.replaceChildren();
  el["primes-empty"].hidden = true;
  el.copy.disabled = true;
  text(el.found, "0");
}

/** Adds primes, which are drawn with the next frame. */
export function add({ count, numbers }) {
  found = count;
  newest = numbers.length >= KEPT ? numbers.slice(-KEPT) : [...newest, ...numbers].slice(-KEPT);
  planned ||= requestAnimationFrame(draw);
}

/** Draws all primes at once, instead of with the next frame. */
export function freeze() {
  cancelAnimationFrame(planned);
  draw();
}

/** Returns true while the visitor selects text in the list, which then must not change. */
function isHeld() {
  const selection = getSelection();
  return !selection.isCollapsed && el.primes.contains(selection.anchorNode);
}
document.addEventListener("selectionchange", () => {
  if (drawn < found && !isHeld()) planned ||= requestAnimationFrame(draw);
});

function draw() {
  planned = 0;
  text(el.found, count(found));
  if (isHeld()) return;
  const fresh = Math.min(found - drawn, newest.length);
  const isSlow = fresh <= 1; // if there are more, all rows would be highlighted all the time
  const rows = [];
  for (let i = newest.length - 1; i >= newest.length - fresh; i--) {
    // A full list reuses its oldest row, so that no elements are created or removed.
    const isFull = el.primes.childElementCount + rows.length >= KEPT;
    const row = (isFull && el.primes.lastElementChild) || document.createElement("li");
    row.remove();
    if (row.firstChild === null) row.append("", document.createElement("span"));
    row.firstChild.data = newest[i];
    row.lastChild.textContent = `no. ${count(found - (newest.length - 1 - i))}`;
    row.className = isSlow ? "new" : "";
    rows.push(row);
  }
  drawn = found;
  el.primes.prepend(...rows);
  el.copy.disabled = el.primes.childElementCount === 0;
}

el.copy.addEventListener("click", async () => {
  const numbers = [...el.primes.children].map((row) => row.firstChild.data);
  try {
    await navigator.clipboard.writeText(numbers.join("\n"));
    el.copy.textContent = `Copied ${numbers.length}`;
    el.news.textContent = `Copied ${numbers.length} primes.`;
    setTimeout(() => (el.copy.textContent = "Copy the newest"), 1500);
  } catch {
    getSelection().selectAllChildren(el.primes); // no clipboard without https or loopback: select them for Ctrl-C instead
  }
});
