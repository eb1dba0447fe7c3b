// The elements of the page, and the formats of its numbers.

export const el = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));
export const portrait = matchMedia("(max-width: 47.5em) and (min-height: 30.01em), (max-width: 47.5em) and (orientation: portrait)");
export const still = matchMedia("(prefers-reduced-motion: reduce)");

const whole = new Intl.NumberFormat("en");
export const count = (n) => whole.format(Math.round(n));
export const plural = (n, word, words = `${word}s`) => `${count(n)} ${n === 1 ? word : words}`;

export function short(n) {
  if (n < 10) return n.toFixed(n >= 0.05 && n < 9.95 ? 1 : 0);
  if (n < 1000) return n.toFixed(0);
  const [by, unit] = n < 999_500 ? [1e3, "k"] : n < 999_500_000 ? [1e6, "M"] : [1e9, "G"];
  return `${(n / by).toPrecision(3)} ${unit}`;
}

/** Returns a function that appends an element with this tag and these classes to `parent`. */
export const partsOf = (parent) => (tag, classes = "") => {
  const node = parent.appendChild(document.createElement(tag));
  if (classes) node.className = classes;
  return node;
};

export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** Uses `aria-disabled`, since a focused button loses the focus when it gets `disabled`. */
export function enable(button, on) {
  if (on) button.removeAttribute("aria-disabled");
  else button.setAttribute("aria-disabled", "true");
}
export const isEnabled = (button) => !button.hasAttribute("aria-disabled");
