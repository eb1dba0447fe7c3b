// What the page shows comes from two places: the primes from the stream that it opened, everything else from /stats.

const KEPT = 200; // primes kept for the list and for copying; the stream is endless
const LOOK = 250; // ms between two looks at the stats, of a page that is seen
const LOOK_HIDDEN = 2000;
const LOOK_UNTIL = 60_000; // a page hidden for longer looks no more
const LOOK_STOPPING = 30;
const SMOOTH = 500; // ms that a rate is averaged over
const DRAW = 100; // ms between two drawings of the list
const NEWS = 10_000; // ms between two announcements to a screen reader

const el = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));
const portrait = matchMedia("(max-width: 760px)");
const still = matchMedia("(prefers-reduced-motion: reduce)");

const whole = new Intl.NumberFormat("en");
const count = (n) => whole.format(Math.round(n));
function short(n) {
  if (n < 10) return n.toFixed(n > 0 && n < 9.95 ? 1 : 0);
  if (n < 1000) return n.toFixed(0);
  const [by, unit] = n < 999_500 ? [1e3, "k"] : n < 999_500_000 ? [1e6, "M"] : [1e9, "G"];
  return `${(n / by).toPrecision(3)} ${unit}`;
}
function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}
function level(meter, share) {
  meter.firstElementChild.style.setProperty("--level", share.toFixed(3));
}

// ---- The state of the search

let stream = null; // the EventSource while ours runs
let mine = null; // our pipeline's id in the stats, as the stream's first event tells it
let last = null; // the pipeline shown last
let stopAsked = 0; // when Stop was pressed

function state(name, words = name) {
  el.state.dataset.state = name;
  text(el["state-text"], words);
  const running = ["connecting", "live", "elsewhere"].includes(name) && (stream !== null || name === "elsewhere");
  const focused = document.activeElement;
  el.start.disabled = stream !== null || name === "stopping" || name === "gone";
  el.stop.disabled = !running;
  // A button that is disabled loses the focus: hand it to the one that can be pressed next.
  if (focused === el.start && el.start.disabled && running) el.stop.focus();
  if (focused === el.stop && el.stop.disabled && !el.start.disabled) el.start.focus();
}
const is = (...names) => names.includes(el.state.dataset.state);

function start() {
  const query = new URLSearchParams(new FormData(el.controls));
  mine = last = null;
  clearPrimes();
  const opened = new EventSource(`primes?${query}`);
  stream = opened;
  state("connecting");
  opened.onopen = () => {
    state("live");
    look();
  };
  opened.onmessage = (event) => keep(event.data);
  opened.addEventListener("start", (event) => (mine = JSON.parse(event.data).id));
  opened.addEventListener("end", () => ended("ended"));
  opened.onerror = () => {
    const refused = is("connecting") && opened.readyState === EventSource.CLOSED;
    ended(refused ? "refused" : "ended", refused ? "refused: busy" : "ended");
  };
}

/** Without a close an EventSource would connect again by itself, and start the next search. */
function ended(name, words) {
  if (stream === null) return;
  stream.close();
  stream = null;
  state(name, words);
  look();
}

async function stop() {
  stopAsked = performance.now();
  stream?.close();
  stream = null;
  draw(); // what has come: from here on the list stands still
  state("stopping");
  flows([]);
  try {
    await fetch("stop", { method: "POST" });
    look();
  } catch {
    state("gone", "server gone");
  }
}

el.controls.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!el.start.disabled) start();
});
el.stop.addEventListener("click", stop);
const showBits = () => text(el["bits-value"], el.bits.value);
el.bits.addEventListener("input", showBits);
showBits();

// ---- The stats

let timer = 0;
let looking = false;
let hiddenSince = 0;

/** Looks now, and from then on again and again. */
async function look() {
  clearTimeout(timer);
  if (looking) return; // the look that is under way plans the next one
  looking = true;
  let pause = is("stopping") ? LOOK_STOPPING : LOOK;
  try {
    const answer = await fetch("stats", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`stats: ${answer.status}`);
    show(await answer.json());
    if (is("stopping")) pause = LOOK_STOPPING;
  } catch {
    stream?.close();
    stream = null;
    mine = last = null;
    state("gone", "server gone");
    flows([]);
    pause = 1000;
  }
  looking = false;
  if (document.hidden) {
    if (performance.now() - hiddenSince > LOOK_UNTIL) return;
    pause = Math.max(pause, LOOK_HIDDEN);
  }
  clearTimeout(timer);
  timer = setTimeout(look, pause);
}
document.addEventListener("visibilitychange", () => {
  hiddenSince = performance.now();
  if (!document.hidden) look();
});

/** Ours if there is one, else one that runs, else the last that ran: the server forgets it, the page doesn't. */
function pick(pipelines) {
  const ours = pipelines.find((p) => p.id === mine);
  if (stream !== null) return ours;
  return (is("stopping") && ours) || pipelines.findLast((p) => !p.ended) || ours || pipelines.at(-1) || (last && { ...last, ended: true });
}

const NOTHING = { id: 0, taken: 0, completed: 0, failed: 0, skipped: 0, in_flight: 0, emitted: 0, elapsed_ms: 0 };
let before = { ...NOTHING, workers: [], received: 0, at: 0 };
const rates = { taken: 0, tested: 0, primes: 0, workers: [] };

function show(stats) {
  const now = pick(stats.pipelines) ?? { ...NOTHING, ended: true, window: stats.window, workers: [] };
  last = now;
  settle(stats.pipelines.some((p) => !p.ended));

  const workers = Array.from({ length: now.workers.length || stats.workers }, (_, i) => now.workers[i] ?? { busy_ms: 0, items: 0 });
  measure({ ...now, workers, received, at: performance.now() });

  lanes(workers.length);
  workers.forEach((worker, i) => {
    const { busy, items } = rates.workers[i];
    const { meter, share, rate } = lane[i];
    level(meter, busy);
    meter.setAttribute("aria-valuenow", Math.round(busy * 100));
    text(share, `${Math.round(busy * 100)} %`);
    text(rate, `${short(items)} /s`);
  });
  text(el["taken-rate"], short(rates.taken));
  text(el["tested-rate"], short(rates.tested));
  text(el["prime-rate"], short(rates.primes));
  text(el.batch, now.ended ? "–" : count(now.batch_size));
  for (const name of ["taken", "completed", "failed", "skipped"]) text(el[name], count(now[name]));
  text(el["in-flight"], count(now.in_flight));
  text(el["in-flight-now"], count(now.in_flight));
  text(el.window, count(now.window));
  const gauge = el["in-flight-meter"];
  level(gauge, now.window ? Math.min(1, now.in_flight / now.window) : 0);
  gauge.setAttribute("aria-valuemax", now.window);
  gauge.setAttribute("aria-valuenow", now.in_flight);
  if (!is("stopping")) flows(rates.workers);
  news();
}

/** The state that the stats tell. */
function settle(runs) {
  if (is("stopping")) {
    if (!runs) state("stopped", `stopped in ${count(performance.now() - stopAsked)} ms`);
  } else if (stream === null) {
    if (runs) state("elsewhere", "live elsewhere");
    else if (is("connecting", "gone")) state("ready");
    else if (is("elsewhere")) state("ended");
  }
}

/** Rates between two looks, by the server's clock: it has stopped for a pipeline that has ended. */
function measure(now) {
  if (now.id !== before.id || now.elapsed_ms < before.elapsed_ms) {
    before = { ...NOTHING, id: now.id, workers: [], received: 0, at: now.at - now.elapsed_ms };
    Object.assign(rates, { taken: 0, tested: 0, primes: 0, workers: [] });
  }
  const elapsed = now.elapsed_ms - before.elapsed_ms;
  if (elapsed <= 0 && !now.ended) return;
  const over = now.ended ? 1 : 1 - Math.exp(-elapsed / SMOOTH);
  const toward = (rate, delta, time = elapsed) => (now.ended ? 0 : rate + over * ((delta / time) * 1000 - rate));
  const tested = (p) => p.completed + p.failed;
  rates.taken = toward(rates.taken, now.taken - before.taken);
  rates.tested = toward(rates.tested, tested(now) - tested(before));
  // What another's pipeline emitted is known to the 256 only.
  rates.primes =
    stream !== null
      ? toward(rates.primes, now.received - before.received, now.at - before.at)
      : toward(rates.primes, now.emitted - before.emitted);
  rates.workers = now.workers.map((worker, i) => {
    const then = before.workers[i] ?? { busy_ms: 0, items: 0 };
    return {
      busy: now.ended ? 0 : Math.min(1, Math.max(0, (worker.busy_ms - then.busy_ms) / elapsed)),
      items: toward(rates.workers[i]?.items ?? 0, worker.items - then.items),
    };
  });
  before = now;
}

let toldAt = 0;
function news() {
  const now = performance.now();
  if (!is("live") || now - toldAt < NEWS) return;
  toldAt = now;
  el.news.textContent = `${count(received)} primes so far; ${count(rates.tested)} numbers tested a second.`;
}

// ---- The workers and the wires

let lane = [];

function lanes(n) {
  if (lane.length !== n) {
    lane = Array.from({ length: n }, (_, i) => {
      const item = document.createElement("li");
      item.className = "lane";
      item.title = `Worker ${i + 1}`;
      const part = (tag, name) => {
        const node = item.appendChild(document.createElement(tag));
        node.className = name;
        return node;
      };
      const name = part("span", "lane-name");
      name.innerHTML = `<span class="lane-word">Worker </span>${i + 1}`;
      const rate = part("span", "lane-rate");
      const share = part("span", "lane-busy");
      const meter = part("div", "gauge");
      meter.append(document.createElement("i"));
      for (const [key, value] of [["role", "meter"], ["aria-label", `Worker ${i + 1}, busy, in percent`], ["aria-valuemin", 0], ["aria-valuemax", 100]]) {
        meter.setAttribute(key, value);
      }
      return { item, meter, share, rate };
    });
    el.lanes.replaceChildren(...lane.map(({ item }) => item));
    el.lanes.style.setProperty("--workers", n);
    wires();
  }
}

let wire = []; // for each worker its two rows of dots: in from the generator, out to the aggregator

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
  flows(rates.workers);
}
new ResizeObserver(wires).observe(el.lanes);
portrait.addEventListener("change", wires);

/** Dots run the faster and the closer, the more numbers they stand for: by the order of magnitude. */
function flows(workers) {
  const total = workers.reduce((sum, { items }) => sum + items, 0);
  wire.forEach((pair, i) => {
    const items = workers[i]?.items ?? 0;
    const found = total > 0 ? (rates.primes * items) / total : 0;
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

let moving = false;
let movedAt = 0;
function move(now) {
  const every = wire.length > 12 ? 30 : 0;
  const passed = Math.min(now - movedAt, 100);
  if (passed >= every) {
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

// ---- The primes

let received = 0;
let drawn = 0; // how many of them the list has seen
let planned = 0; // the timer of the next drawing
const ring = new Array(KEPT); // as they came: there may be a hundred thousand a second, and few are ever drawn

function keep(data) {
  ring[received++ % KEPT] = data;
  planned ||= setTimeout(draw, DRAW);
}

function clearPrimes() {
  received = drawn = 0;
  el.primes.replaceChildren();
  el["primes-empty"].hidden = true;
  el.copy.disabled = true;
  text(el.found, "0");
}

/** While somebody selects in the list it stands still. */
const held = () => {
  const selection = getSelection();
  return !selection.isCollapsed && el.primes.contains(selection.anchorNode);
};

function draw() {
  clearTimeout(planned);
  planned = 0;
  text(el.found, count(received));
  if (held()) {
    planned = setTimeout(draw, DRAW);
    return;
  }
  const fresh = Math.min(received - drawn, KEPT);
  const few = fresh <= 3;
  const rows = [];
  for (let n = received - 1; n >= received - fresh; n--) {
    const { number, index } = JSON.parse(ring[n % KEPT]);
    const row = document.createElement("li");
    row.textContent = number;
    const place = row.appendChild(document.createElement("span"));
    place.textContent = `no. ${count(index + 1)}`;
    if (few) row.className = "new";
    rows.push(row);
  }
  drawn = received;
  el.primes.prepend(...rows);
  while (el.primes.childElementCount > KEPT) el.primes.lastElementChild.remove();
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

// ---- Check numbers

el.check.addEventListener("submit", async (event) => {
  event.preventDefault();
  const numbers = el.numbers.value.split(/[\s,;]+/).filter(Boolean);
  const began = performance.now();
  el["check-button"].disabled = true;
  el.verdicts.replaceChildren();
  verdictNote("checking");
  try {
    const answer = await fetch("check", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(numbers),
    });
    if (answer.ok) {
      let n = 0;
      for await (const verdict of lines(answer.body)) {
        const line = JSON.parse(verdict);
        if (line.end) break; // the last line, which says that all are here
        verdictRow(line);
        n++;
      }
      verdictNote(`${count(n)} ${n === 1 ? "number" : "numbers"} in ${count(performance.now() - began)} ms`);
    } else if (answer.status === 503) {
      const after = answer.headers.get("retry-after");
      verdictNote(`The pool is full. Try again ${after ? `in ${after} s` : "later"}.`, true);
    } else {
      verdictNote((await answer.text()).trim() || `The server answered ${answer.status}.`, true);
    }
  } catch {
    verdictNote("The server can't be reached.", true);
  }
  el["check-button"].disabled = false;
});

async function* lines(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const all = (rest + part.value).split("\n");
    rest = all.pop();
    yield* all.filter(Boolean);
  }
  if (rest) yield rest;
}

function verdictNote(words, bad = false) {
  el["check-note"].textContent = words;
  el["check-note"].toggleAttribute("data-bad", bad);
}

function verdictRow({ number, prime, error }) {
  const row = el.verdicts.appendChild(document.createElement("li"));
  row.textContent = number;
  row.classList.toggle("prime", prime === true);
  row.appendChild(document.createElement("span")).textContent = error ?? (prime ? "prime" : "composite");
}

look();
