// The workers, and the wires between them, generator and aggregator.

import { count, el, partsOf, portrait, short, still, text } from "./dom.js";
import { travel } from "./failures.js";
import { duration } from "./observed.js";

let lane = [];
let names = null; // of the nodes that have the lanes, as one text; null if the workers have them

/** Has a lane for each of so many workers. */
export function lanes(n) {
  if (names !== null || lane.length !== n) {
    names = null;
    make(Array.from({ length: n }, (_, i) => i));
    for (const [i, { name, item }] of lane.entries()) {
      item.title = `Worker ${i + 1}`;
      name.innerHTML = `<span class="lane-word">Worker </span>${i + 1}`;
    }
    el.lanes.setAttribute("aria-label", "Workers");
  }
}

/** Has a lane for each of these nodes. */
function lanesOfNodes(nodes) {
  const now = JSON.stringify(nodes.map(({ name }) => name));
  if (names === now) return;
  names = now;
  make(nodes);
  for (const [i, { name }] of lane.entries()) name.textContent = nodes[i].name;
  if (nodes.length === 0) {
    const item = el.lanes.appendChild(document.createElement("li"));
    item.className = "waiting";
    item.textContent = "Nodes are shown here once they have answered";
  }
  el.lanes.setAttribute("aria-label", "Nodes");
}

function make(each) {
  lane = each.map(() => {
    const item = document.createElement("li");
    item.className = "lane";
    const part = partsOf(item);
    const name = part("span", "lane-name");
    const told = part("em", "lane-told");
    const rate = part("span", "lane-rate");
    const share = part("span", "lane-busy");
    const meter = part("div", "gauge");
    meter.append(document.createElement("i"));
    for (const [key, value] of [["role", "meter"], ["aria-valuemin", 0], ["aria-valuemax", 100]]) {
      meter.setAttribute(key, value);
    }
    return { item, name, meter, share, rate, told, rebuilt: null };
  });
  el.lanes.replaceChildren(...lane.map(({ item }) => item));
  el.lanes.style.setProperty("--workers", lane.length);
  el.lanes.classList.toggle("of-nodes", names !== null);
  wires();
}

export function level(meter, share) {
  meter.firstElementChild.style.setProperty("--level", share.toFixed(3));
}

/**
 * Shows how busy each worker is, its items per second, how often it was rebuilt, and for how long it has run its item;
 * and the primes per item. `workers` is `null` if that is unknown.
 */
export function show(workers, primesPerItem = 0) {
  last = workers ?? [];
  if (workers === null && names !== null) {
    // Nodes, of which nothing is known now.
    for (const { told, rate, share } of lane) for (const part of [told, rate, share]) text(part, "–");
    return flows(last, 0);
  }
  lane.forEach((one, i) => {
    const { item, meter, share, rate, told } = one;
    const { busy, items, rebuilt = 0, age = 0 } = workers?.[i] ?? { busy: 0, items: 0 };
    if (one.rebuilt !== null && rebuilt > one.rebuilt) failed(i);
    one.rebuilt = workers ? rebuilt : null;
    const words = [rebuilt > 0 ? `rebuilt ${count(rebuilt)}` : "", age >= OLD ? `item for ${duration(age)}` : ""].filter(Boolean).join(", ");
    text(told, words);
    // Where there is no room for the words, they are shown at the pointer.
    item.title = `Worker ${i + 1}${words && `; ${words}`}`;
    item.toggleAttribute("data-rebuilt", rebuilt > 0);
    meter.setAttribute("aria-label", `Worker ${i + 1}, busy, in percent${words && `; ${words}`}`);
    level(meter, busy);
    meter.setAttribute("aria-valuenow", Math.round(busy * 100));
    text(share, workers ? `${Math.round(busy * 100)} %` : "–");
    text(rate, workers ? `${short(items)} /s` : "–");
  });
  flows(last, primesPerItem);
}

/** Shows the items per second of each node, its batches in flight and what became of it; and the primes per item. */
export function showNodes(nodes, primesPerItem) {
  lanesOfNodes(nodes);
  last = nodes;
  lane.forEach(({ item, meter, share, rate, told }, i) => {
    const { name, items, inFlight, slots, fate, words } = nodes[i];
    const all = words.join("");
    item.dataset.fate = fate;
    item.title = `Node ${name}; ${count(inFlight)} of ${count(slots)} batches${all && `; ${all}`}`;
    if (told.children.length === 0) told.append(document.createElement("span"), document.createElement("span"));
    words.forEach((word, part) => text(told.children[part], word));
    text(rate, `${short(items)} /s`);
    text(share, `${count(inFlight)} of ${count(slots)}`);
    meter.setAttribute("aria-label", `Node ${name}, batches in flight${all && `; ${all}`}`);
    meter.setAttribute("aria-valuemax", Math.max(1, slots));
    meter.setAttribute("aria-valuenow", inFlight);
    level(meter, slots > 0 ? inFlight / slots : 0);
  });
  flows(last, primesPerItem);
}

const OLD = 0.25; // seconds from which on the age of an item is shown: the pause between two looks at the server

/** Shows that an item of a worker has panicked, since its work was rebuilt. */
function failed(i) {
  if (wire[i]?.[1]) travel(wire[i][1]);
  if (!still.matches) lane[i].item.animate([{ backgroundColor: "var(--stop-wash)" }, {}], 1200);
}

let last = [];
let share = 0; // primes per item
let wire = []; // per worker two rows of dots: from the generator, and to the aggregator

function wires() {
  const n = lane.length;
  const down = portrait.matches;
  el.lanes.classList.toggle("compact", n > (down ? 3 : 4) && n <= 12);
  el.lanes.classList.toggle("dense", n > 12);
  wire = lane.map(() => []);
  for (const svg of [el["fan-out"], el["fan-in"]]) {
    const box = svg.getBoundingClientRect();
    const out = svg === el["fan-out"];
    const paths = lane.map(({ item }) => {
      const at = item.getBoundingClientRect();
      const { width: w, height: h } = box;
      if (down) {
        const x = at.left + at.width / 2 - box.left;
        return out
          ? `M${w / 2} 0C${w / 2} ${h * 0.6} ${x} ${h * 0.4} ${x} ${h}`
          : `M${x} 0C${x} ${h * 0.6} ${w / 2} ${h * 0.4} ${w / 2} ${h}`;
      }
      const y = at.top + at.height / 2 - box.top;
      return out
        ? `M0 ${h / 2}C${w * 0.55} ${h / 2} ${w * 0.45} ${y} ${w} ${y}`
        : `M0 ${y}C${w * 0.55} ${y} ${w * 0.45} ${h / 2} ${w} ${h / 2}`;
    });
    const draw = (name) =>
      paths.map((d) => {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("class", name);
        path.setAttribute("d", d);
        return path;
      });
    const dots = draw("dots");
    svg.replaceChildren(...draw("wire"), ...dots);
    svg.classList.toggle("many", n > 12);
    dots.forEach((path, i) => wire[i].push({ path, speed: 0, gap: 0, offset: -i * 31 }));
  }
  flows(last, share);
}
new ResizeObserver(wires).observe(el.lanes);
portrait.addEventListener("change", wires);

/** The speed and the density of dots show the order of magnitude of a rate. */
function flows(workers, primesPerItem) {
  share = primesPerItem;
  wire.forEach((pair, i) => {
    const items = workers[i]?.items ?? 0;
    const found = share * items;
    [items, found].forEach((rate, side) => {
      const dots = pair[side];
      if (!dots) return;
      const flowing = rate > 0.02;
      const gap = rate > 1000 ? 14 : rate > 10 ? 24 : 44;
      dots.speed = flowing ? 16 + 22 * Math.log10(1 + rate) : 0;
      if (flowing) dots.path.dataset.flow = "";
      else delete dots.path.dataset.flow;
      if (gap !== dots.gap) {
        dots.gap = gap;
        dots.path.style.strokeDasharray = `0.01 ${gap}`;
        dots.path.style.strokeDashoffset = dots.offset;
      }
    });
  });
  if (!moving && !still.matches && wire.flat().some((dots) => dots.speed > 0)) {
    moving = true;
    requestAnimationFrame(move);
  }
}

const BETWEEN = 30; // ms between two drawings of the dots, which take most of the time of the page

let moving = false;
let movedAt = 0;
function move(now) {
  const passed = Math.min(now - movedAt, 100);
  if (passed >= BETWEEN) {
    movedAt = now;
    for (const dots of wire.flat()) {
      if (dots.speed === 0) continue;
      dots.offset = (dots.offset - (dots.speed * passed) / 1000) % (dots.gap * 1000);
      dots.path.style.strokeDashoffset = dots.offset.toFixed(1);
    }
  }
  moving = !still.matches && wire.flat().some((dots) => dots.speed > 0);
  if (moving) requestAnimationFrame(move);
}

