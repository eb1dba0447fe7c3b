// The state of the page. The primes come from its own stream, everything else from /stats.

import "./check.js";
import { count, el, enable, isEnabled, plural, text } from "./dom.js";
import * as figures from "./figures.js";
import * as list from "./list.js";
import * as searches from "./searches.js";
import * as settings from "./settings.js";
import { chosen, describe } from "./settings.js";
import * as summary from "./summary.js";
import { events, reason } from "./stream.js";

const LOOK = 250; // ms between two requests for the stats while the page is visible
const LOOK_GONE = 1000; // while the server does not answer
const LOOK_HIDDEN = 2000; // while the page is hidden
const LOOK_UNTIL = 60_000; // a page that is hidden for longer sends no more requests
const PATIENCE = 5000; // ms until a request for the stats times out
const NEWS = 10_000; // ms between two announcements to a screen reader

let search = null; // the search of this page, from Start to its end
let phase = { name: "ready", words: "ready" }; // of this page's search; the last phase stays until the next search starts
let server = "unknown"; // or "answers" or "silent"
let known = []; // the pipelines in the last answer of /stats
let last = null; // the last state of this page's pipeline, which the server lists only for some seconds after its end
let workers = 0;

// ---- What is shown

function say(name, words = name, note = "") {
  phase = { name, words };
  text(el.note, note);
  show();
}

/** Returns the state to show: of this page's search or, without one, of the others; or that the server does not answer. */
function shown() {
  const isQuiet = server !== "answers";
  if (search !== null) return isQuiet && server === "silent" ? { name: "silent", words: "no answer" } : phase;
  if (server === "unknown") return { name: "connecting", words: "connecting" };
  if (isQuiet) return { name: "gone", words: "server gone" };
  return phase.name === "ready" && running().length > 0 ? { name: "elsewhere", words: "live elsewhere" } : phase;
}

const running = () => known.filter((pipeline) => !pipeline.ended);

/** Returns this page's pipeline or, without one, the last one that another client started. */
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
  enable(el.drain, search !== null && !["stopping", "draining"].includes(phase.name));

  const others = running().filter(({ id }) => id !== search?.id).length;
  enable(el["stop-all"], answers && running().length > 0);
  text(el["stop-all"], running().length > 1 ? `Stop all ${running().length} searches` : "Stop all searches");
  text(el.others, others === 0 || !answers ? "" : search || last ? `${plural(others, "other search", "other searches")} running.` : "");

  const pipeline = pick();
  const shownSettings = search?.settings ?? pipeline?.search;
  if (!answers && search === null) text(el.run, "");
  else if (shownSettings === undefined) text(el.run, "No search is running.");
  else {
    const whose = search || last ? "Your search" : `Search ${pipeline.id}, started elsewhere`;
    text(el.run, `${whose}: ${describe(shownSettings)}${pipeline?.ended && search === null ? "; it has ended" : ""}.`);
  }
  const different = search === null ? [] : settings.different(search.settings);
  el.differs.hidden = different.length === 0;
  if (different.length > 0) text(el.differs, `The controls show other settings, which take effect at the next start: ${different.join(", ")}.`);
  if (answers) searches.show(known, search?.id ?? null, act);
  else searches.blank();
}

// ---- This page's search

async function start() {
  const own = { id: null, settings: chosen(), closing: new AbortController(), stopAsked: null, drainAsked: false, failures: 0 };
  search = own;
  last = null;
  list.clear();
  summary.hide();
  settings.write();
  say("starting");
  try {
    const query = new URLSearchParams({ ...own.settings, newest: list.KEPT });
    const answer = await fetch(`primes?${query}`, { headers: { accept: "text/event-stream" }, signal: own.closing.signal });
    if (answer.ok) {
      if (own.stopAsked === null && !own.drainAsked) say("live");
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
    if (own.stopAsked === null) change(); // if a slider has moved since Start
    if (own.stopAsked !== null) askToStop(own);
    else if (own.drainAsked) ask("drain", own.id);
  } else if (own.stopAsked !== null) {
    return; // after the click on Stop the list does not change, and the answer to the request tells the end
  } else if (name === "message") {
    list.add(data);
    if (data.failures > own.failures) tell(own, data.failures);
  } else if (name === "failure") {
    own.failure = data.error; // the newest: the server sends no more than ten per second, and then their number
    tell(own, own.failures + 1);
  } else if (name === "end") {
    const how = data.end;
    const failures = own.failures ? el.note.textContent : "";
    if (how === "failed") end(own, "failed", "failed", data.error ?? "The pipeline failed.");
    else if (how === "stopped") end(own, "over", "stopped elsewhere", failures);
    else if (how === "complete") end(own, "over", own.failures ? "complete, with failures" : "complete", failures);
    else end(own, "over", how, failures);
  }
}

function tell(own, failures) {
  own.failures = failures;
  text(el.note, `${plural(failures, "item")} failed; the last: ${own.failure}`);
}

/** Ends this page's search. The first reason counts; later ones, such as the end of the stream after a stop, follow from it. */
function end(own, name, words, note = "") {
  if (search !== own || own.isStopping) return;
  search = null;
  last = known.find(({ id }) => id === own.id) ?? { id: own.id, search: own.settings, ended: true, workers: [], nodes: [], ...NONE };
  if (name === "refused" || own.id === null) last = null;
  own.closing.abort();
  list.freeze();
  say(name, words, note);
  look();
}
const NONE = { taken: 0, completed: 0, failed: 0, skipped: 0, in_flight: 0, emitted: 0, elapsed_seconds: 0, limit: 0 };

/** Stops this page's search. The time is measured from the event's timestamp, so that a delay by a busy page is included. */
function stop(event) {
  const own = search;
  own.stopAsked = event.timeStamp;
  list.freeze();
  say("stopping", "stopping", el.note.textContent);
  if (own.id !== null) askToStop(own); // otherwise as soon as the stream has sent the id
}

async function askToStop(own) {
  own.isStopping = true;
  own.closing.abort(); // this stops the search as well, if the request below fails
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

/** Lets this page's search end when all numbers in flight are tested, and their primes are here. */
function drain() {
  search.drainAsked = true;
  say("draining", "draining", el.note.textContent);
  if (search.id !== null) ask("drain", search.id); // otherwise as soon as the stream has sent the id
}

/** Asks for the end of a search that this page may or may not have started. */
function act(what, id, event) {
  if (id !== search?.id) ask(what, id);
  else if (what === "stop") stop(event);
  else drain();
}

/** Asks to stop or to drain a search, the end of which is seen in the stats and, for that of this page, in its stream. */
async function ask(what, id) {
  try {
    const answer = await fetch(`searches/${id}/${what}`, { method: "POST" });
    // One that has just ended is what was asked for.
    if (!answer.ok && answer.status !== 404) throw new Error(await reason(answer));
    look();
  } catch (error) {
    text(el.note, `Search ${id}, ${what}: ${error.message}`);
  }
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
el.drain.addEventListener("click", () => isEnabled(el.drain) && drain());
el["stop-all"].addEventListener("click", (event) => isEnabled(el["stop-all"]) && stopAll(event));
el.controls.addEventListener("input", () => {
  settings.write();
  change();
  show();
});
settings.read();

/** Has the server change the settings of this page's search that can change, as soon as it has done so the last time. */
async function change() {
  const own = search;
  if (!own?.id || own.isChanging || own.stopAsked !== null) return;
  const changes = settings.changes(own.settings);
  if (Object.keys(changes).length === 0) return;
  own.isChanging = true;
  try {
    const answer = await fetch(`searches/${own.id}/settings?${new URLSearchParams(changes)}`, { method: "POST" });
    if (!answer.ok) throw new Error(await reason(answer));
    Object.assign(own.settings, changes);
    own.isChanging = false;
    show();
    change(); // a slider may have moved meanwhile
  } catch (error) {
    own.isChanging = false;
    if (search === own) text(el.note, `Settings: ${error.message}`);
  }
}

// ---- The stats

let timer = 0;
let underWay = null; // the request under way, which schedules the next one
let hiddenSince = 0;

/** Requests the stats now, and then at intervals. */
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
    const isRemote = stats.remote === true;
    document.documentElement.toggleAttribute("data-remote", isRemote);
    settings.threads(workers);
    text(el.set, isRemote ? "All searches are done by the same nodes." : `All searches share ${plural(workers, "worker thread")}.`);
    // While the search stops, neither the figures nor the list change; the final figures come with the answer to the
    // stop.
    if (phase.name !== "stopping") {
      const pipeline = search !== null && search.id === null ? null : pick();
      if (last !== null && pipeline?.id === last.id) last = { ...pipeline };
      figures.show(pipeline, isRemote ? null : workers, search !== null ? list.received() : null);
      if (pipeline !== null) summary.note(pipeline);
      if (search === null && last?.ended && last.elapsed_seconds > 0) summary.show(last, phase.words);
    }
  } catch {
    // A failed request does not end this page's search: its stream may still be open.
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
  if (!["live", "draining"].includes(shown().name) || now - toldAt < NEWS) return;
  toldAt = now;
  el.news.textContent = `${count(list.received())} primes so far; ${count(figures.testedRate())} numbers tested per second.`;
}

document.documentElement.classList.remove("no-script");
show();
look();
