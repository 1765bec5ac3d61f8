// Analysis on the server of a video that the browser cannot play: the file is uploaded, the response is NDJSON.

import { RequestError, toRequestError } from "./frames.js";

const ENDPOINT = "/api/v1/video";

/** Yield each line of the response as an object as it arrives; the last one has a `summary`. Throws RequestError. */
export async function* analyzeOnServer(file, fps, signal) {
  const body = new FormData();
  body.set("file", file);
  body.set("fps", String(fps));
  let response;
  try {
    response = await fetch(ENDPOINT, { method: "POST", body, signal });
  } catch {
    signal.throwIfAborted();
    throw new RequestError(0, "No response", "The server could not be reached.");
  }
  if (!response.ok) throw await toRequestError(response);
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
