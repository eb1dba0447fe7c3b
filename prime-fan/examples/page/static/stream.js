// Reads Server-Sent Events with fetch. An EventSource does not report the status, so that "busy" and "broken" would
// look the same, and it would start the next search by itself when one ends.

/** Yields the events of a body as `{ name, data }`, without comments, which are heartbeats. */
export async function* events(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const blocks = (rest + part.value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { name: "message", data: [] };
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) event.name = line.slice(7);
        if (line.startsWith("data: ")) event.data.push(line.slice(6));
      }
      if (event.data.length > 0) yield { name: event.name, data: JSON.parse(event.data.join("\n")) };
    }
  }
}

/** Yields the lines of a body. */
export async function* lines(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const all = (rest + part.value).split("\n");
    rest = all.pop();
    yield* all.filter(Boolean);
  }
  if (rest) yield rest;
}

/** Returns the message of an error response, cut to what there is room for. */
export async function reason(answer) {
  const LONGEST = 200;
  const words = (await answer.text()).trim() || `the server answered ${answer.status}`;
  return words.length > LONGEST ? `${words.slice(0, LONGEST)}…` : words;
}
