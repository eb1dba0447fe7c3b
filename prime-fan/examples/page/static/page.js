// The state of the page. The primes come from the stream that it opened, everything else from /stats.

import "./check.js";
import { count, el, enable, isEnabled, plural, text } from "./dom.js";
import * as figures from "./figures.js";
import * as list from "./list.js";
import { events, reason } from "./stream.js";

const LOOK = 250; // ms between two looks at the stats, of a page that is seen
const LOOK_GONE = 1000;
const LOOK_HIDDEN = 2000;
const LOOK_UNTIL = 60_000; // a page hidden for longer looks no more
const PATIENCE = 5000; // ms for the stats
const NEWS = 10_000; // ms between two announcements to a screen reader

let search = null; // this page's own, from Start to its end
let phase = { name: "ready", words: "ready" }; // of the own search; how it ended stays until the next one starts
let server = "unknown"; // or "answers", "silent"
let known = []; // the pipelines that the server told of
let last = null; // the own pipeline as it was seen last: the server forgets it, the page doesn't
let workers = 0;

// ---- What is shown

function say(name, words = name, note = "") {
  phase = { name, words };
  text(el.note, note);
  show();
}

/** The state: that of the own search, unless the server doesn't answer; without one, what others do. */
function shown() {
  const isQuiet = server !== "answers";
  if (search !== null) return isQuiet && server === "silent" ? { name: "silent", words: "no answer" } : phase;
  if (server === "unknown") return { name: "connecting", words: "connecting" };
  if (isQuiet) return { name: "gone", words: "server gone" };
  return phase.name === "ready" && running().length > 0 ? { name: "elsewhere", words: "live elsewhere" } : phase;
}

const running = () => known.filter((pipeline) => !pipeline.ended);

/** The own one, else the last that somebody else started. */
function pick() {
  if (search !== null || last !== null) return known.find(({ id }) => id === (search ?? last).id) ?? last;
  return known.findLast((pipeline) => !pipeline.ended) ?? known.at(-1) ?? null;
}

function show() {
  const { name, words } = shown();
  el.state.dataset.state = name;
  text(el["state-text"], words);
  const answers = server === "answers";
  enable(el.start, search === null && answers);
  enable(el.stop, search !== null && phase.name !== "stopping");

  const others = running().filter(({ id }) => id !== search?.id).length;
  enable(el["stop-all"], answers && running().length > 0);
  text(el["stop-all"], running().length > 1 ? `Stop all ${running().length} searches` : "Stop all searches");
  text(el.others, others === 0 || !answers ? "" : search || last ? `${plural(others, "other search", "other searches")} running.` : "");

  const pipeline = pick();
  const settings = search?.settings ?? pipeline?.search;
  if (!answers && search === null) text(el.run, "");
  else if (settings === undefined) text(el.run, "No search is running.");
  else {
    const whose = search || last ? "Your search" : `Search ${pipeline.id}, started elsewhere`;
    text(el.run, `${whose}: ${describe(settings)}${pipeline?.ended && search === null ? "; it has ended" : ""}.`);
  }
  const isDifferent = search !== null && ["bits", "finder", "pace"].some((key) => String(search.settings[key]) !== chosen()[key]);
  el.differs.hidden = !isDifferent;
}

const chosen = () => Object.fromEntries(new FormData(el.controls));

function describe({ bits, finder, pace }) {
  const primes = Number(pace) === 0 ? "all primes" : `${count(pace)} primes/s`;
  return `${bits} bits, ${finder === "fast" ? "fast" : "trial division"}, ${primes}`;
}

// ---- The own search

async function start() {
  const own = { id: null, settings: chosen(), closing: new AbortController(), stopAsked: null, failures: 0 };
  search = own;
  last = null;
  list.clear();
  say("starting");
  try {
    const query = new URLSearchParams({ ...own.settings, newest: list.KEPT });
    const answer = await fetch(`primes?${query}`, { headers: { accept: "text/event-stream" }, signal: own.closing.signal });
    if (answer.ok) {
      if (own.stopAsked === null) say("live");
      look();
      for await (const event of events(answer.body)) take(own, event);
      end(own, "lost", "connection lost", "The stream broke off: the search may not be complete.");
    } else if (answer.status === 503) {
      end(own, "refused", "refused: busy", await reason(answer));
    } else {
      end(own, "failed", "failed", `The server answered ${answer.status}: ${await reason(answer)}`);
    }
  } catch {
    end(own, "lost", "connection lost", "The connection broke off.");
  }
}

function take(own, { name, data }) {
  if (search !== own) return;
  if (name === "start") {
    own.id = data.id;
    if (own.stopAsked !== null) askToStop(own);
  } else if (own.stopAsked !== null) {
    return; // from the click on the list stands still, and the answer to it tells the end
  } else if (name === "message") {
    list.add(data);
  } else if (name === "failure") {
    own.failures += 1;
    text(el.note, `${plural(own.failures, "item")} failed; the last: ${data.error}`);
  } else if (name === "end") {
    const how = data.end;
    const failures = own.failures ? el.note.textContent : "";
    if (how === "failed") end(own, "failed", "failed", data.error ?? "The pipeline failed.");
    else if (how === "stopped") end(own, "over", "stopped elsewhere", failures);
    else if (how === "complete") end(own, "over", own.failures ? "complete, with failures" : "complete", failures);
    else end(own, "over", how, failures);
  }
}

/** The first end that is told counts: what comes later, such as the stream's own end after a stop, is a consequence. */
function end(own, name, words, note = "") {
  if (search !== own || own.isStopping) return;
  search = null;
  last = known.find(({ id }) => id === own.id) ?? { id: own.id, search: own.settings, ended: true, workers: [], ...NONE };
  if (name === "refused" || own.id === null) last = null;
  own.closing.abort();
  list.freeze();
  say(name, words, note);
  look();
}
const NONE = { taken: 0, completed: 0, failed: 0, skipped: 0, in_flight: 0, emitted: 0, elapsed_seconds: 0, window: 0 };

/** From the click, by the event's own clock: what waited behind a busy page counts as well. */
function stop(event) {
  const own = search;
  own.stopAsked = event.timeStamp;
  list.freeze();
  say("stopping", "stopping", el.note.textContent);
  if (own.id !== null) askToStop(own); // else as soon as the stream has told it
}

async function askToStop(own) {
  own.isStopping = true;
  own.closing.abort(); // stops it as well, should the request below get lost
  let outcome;
  try {
    const answer = await fetch(`searches/${own.id}/stop`, { method: "POST" });
    if (answer.ok) {
      last = { ...(await answer.json()), ended: true };
      outcome = ["stopped", `stopped in ${count(performance.now() - own.stopAsked)} ms`];
    } else if (answer.status === 404) {
      outcome = ["over", "ended", "It had ended before Stop reached the server."];
    } else {
      outcome = ["failed", "failed", `Stop: the server answered ${answer.status}: ${await reason(answer)}`];
    }
  } catch {
    outcome = ["lost", "connection lost", "Stop did not reach the server. The stream was closed, which stops the search too."];
  }
  search = null;
  last ??= known.find(({ id }) => id === own.id) ?? null;
  say(...outcome);
  look();
}

async function stopAll(event) {
  const own = search;
  if (own !== null && phase.name !== "stopping") stop(event);
  try {
    const answer = await fetch("stop", { method: "POST" });
    if (!answer.ok) throw new Error(await reason(answer));
    const { stopped } = await answer.json();
    el.news.textContent = `Stopped ${plural(stopped, "search", "searches")}.`;
    look();
  } catch (error) {
    text(el.note, `Stop all: ${error.message}`);
  }
}

el.controls.addEventListener("submit", (event) => {
  event.preventDefault();
  if (isEnabled(el.start)) start();
});
el.stop.addEventListener("click", (event) => isEnabled(el.stop) && stop(event));
el["stop-all"].addEventListener("click", (event) => isEnabled(el["stop-all"]) && stopAll(event));
el.controls.addEventListener("input", () => {
  text(el["bits-value"], el.bits.value);
  show();
});
text(el["bits-value"], el.bits.value);

// ---- The stats

let timer = 0;
let underWay = null; // the look that is under way: it plans the next one
let hiddenSince = 0;

/** Looks now, and from then on again and again. */
function look() {
  clearTimeout(timer);
  return (underWay ??= lookOnce());
}

async function lookOnce() {
  let pause = LOOK;
  try {
    const answer = await fetch("stats", { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`stats: ${answer.status}`);
    const stats = await answer.json();
    server = "answers";
    known = stats.pipelines;
    workers = stats.workers;
    // While it stops, the figures stand still like the list; those of its end come with the answer.
    if (phase.name !== "stopping") {
      const pipeline = search !== null && search.id === null ? null : pick();
      if (last !== null && pipeline?.id === last.id) last = { ...pipeline };
      figures.show(pipeline, workers, search !== null ? list.received() : null);
    }
  } catch {
    // A stream that is open may well go on: its own end tells, not a look that failed.
    server = "silent";
    known = [];
    if (search === null) {
      last = null;
      phase = { name: "ready", words: "ready" };
      text(el.note, "");
    }
    figures.blank();
    pause = LOOK_GONE;
  }
  show();
  news();
  underWay = null;
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

let toldAt = 0;
function news() {
  const now = performance.now();
  if (shown().name !== "live" || now - toldAt < NEWS) return;
  toldAt = now;
  el.news.textContent = `${count(list.received())} primes so far; ${count(figures.testedRate())} numbers tested per second.`;
}

document.documentElement.classList.remove("no-script");
show();
look();
