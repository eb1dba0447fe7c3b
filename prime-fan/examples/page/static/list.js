// The list of primes: the newest that came, drawn once per frame at most.

import { count, el, text } from "./dom.js";

/** As many are kept for the list and for copying; the stream is endless. */
export const KEPT = 200;

let found = 0; // by the stream's own count
let newest = []; // the newest last
let drawn = 0; // how many of them the list has seen
let planned = 0; // the frame that draws next

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

/** Takes what came. However much that is, and however often: it is drawn with the next frame. */
export function add({ count, numbers }) {
  found = count;
  newest = numbers.length >= KEPT ? numbers.slice(-KEPT) : [...newest, ...numbers].slice(-KEPT);
  planned ||= requestAnimationFrame(draw);
}

/** Draws what has come: from here on the list stands still. */
export function freeze() {
  cancelAnimationFrame(planned);
  draw();
}

/** While the visitor selects in the list it stands still. */
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
  const isSlow = fresh <= 1; // of more, the list is always aglow
  const rows = [];
  for (let i = newest.length - 1; i >= newest.length - fresh; i--) {
    // The oldest row is the next one's: a full list makes and drops no elements.
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
    getSelection().selectAllChildren(el.primes); // no clipboard without https or loopback: ready for the keyboard
  }
});
