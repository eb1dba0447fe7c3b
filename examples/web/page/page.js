"use strict";
const primes = new EventSource("/primes");
primes.onmessage = ({ data }) => {
    document.querySelector("ol").append(Object.assign(document.createElement("li"), { textContent: JSON.parse(data).number }));
};
primes.addEventListener("end", () => primes.close());
document.querySelector("button").onclick = () => fetch("/stop", { method: "POST" });
