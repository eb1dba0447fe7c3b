// The form that checks numbers.

import { count, el, enable, isEnabled, plural } from "./dom.js";
import { lines, reason } from "./stream.js";

const WORDS = {
  prime: "prime",
  "probable-prime": "probably prime",
  composite: "composite",
  neither: "neither",
};

el.check.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!isEnabled(el["check-button"])) return;
  const numbers = el.numbers.value.split(/[\s,;]+/).filter(Boolean);
  const began = event.timeStamp;
  enable(el["check-button"], false);
  el.verdicts.replaceChildren();
  note("checking");
  try {
    const answer = await fetch("check", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(numbers),
    });
    if (answer.ok) {
      const rows = document.createDocumentFragment();
      let isWhole = false;
      for await (const line of lines(answer.body)) {
        const verdict = JSON.parse(line);
        // The last line is none: it says that all are here.
        if (verdict.end === undefined) rows.append(row(verdict));
        else isWhole = verdict.end === "complete";
      }
      const n = rows.childElementCount;
      el.verdicts.replaceChildren(rows);
      if (isWhole) note(`${plural(n, "number")} in ${count(performance.now() - began)} ms`);
      else note(`The answer broke off after ${plural(n, "number")}.`, true);
    } else {
      const words = await reason(answer);
      note(`${words[0].toUpperCase()}${words.slice(1)}`, true);
    }
  } catch {
    note("The server can't be reached.", true);
  }
  enable(el["check-button"], true);
});

function note(words, isBad = false) {
  el["check-note"].textContent = words;
  el["check-note"].toggleAttribute("data-bad", isBad);
}

function row({ number, verdict, error }) {
  const row = document.createElement("li");
  row.textContent = number ?? "";
  row.classList.toggle("prime", verdict?.endsWith("prime") ?? false);
  const word = row.appendChild(document.createElement("span"));
  word.textContent = error ?? WORDS[verdict] ?? verdict;
  if (verdict === "neither") word.title = "neither prime nor composite";
  return row;
}
