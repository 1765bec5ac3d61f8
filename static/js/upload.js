// A film that the browser cannot play, read by the server: the file goes up, a line comes back for each frame that was read.

import { Trouble, troubleOf } from "./frames.js";

const ADDRESS = "/api/v1/video";

/** Every line of the server's answer as an object, as soon as it is there; the last one has a `summary`. Throws Trouble. */
export async function* readOnServer(file, fps, signal) {
  const body = new FormData();
  body.set("file", file);
  body.set("fps", String(fps));
  let response;
  try {
    response = await fetch(ADDRESS, { method: "POST", body, signal });
  } catch {
    signal.throwIfAborted();
    throw new Trouble(0, "No answer", "The server could not be reached.");
  }
  if (!response.ok) throw await troubleOf(response);
  let rest = "";
  for await (const text of chunks(response.body.pipeThrough(new TextDecoderStream()).getReader())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.trim()) yield JSON.parse(line);
  }
  if (rest.trim()) yield JSON.parse(rest);
}

async function* chunks(reader) {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
