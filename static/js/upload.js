// Analysis on the server of a video that the browser cannot play: the file is uploaded, the response is NDJSON or the annotated video.

import { apiHeaders } from "./api-token.js";
import { RequestError, toRequestError } from "./frames.js";

const ENDPOINT = "/api/v1/video";

/** Yield each line of the response as an object as it arrives; the last one has a `summary`. Throws RequestError. */
export async function* analyzeOnServer(file, fps, signal) {
  const response = await post(file, { fps }, signal);
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

/** Return the annotated video as {video: Blob, partial}; `partial`: why it is incomplete, or null. Throws RequestError. */
export async function annotateOnServer(file, fps, signal) {
  const response = await post(file, { fps, annotated: "mp4" }, signal);
  return { video: await response.blob(), partial: response.headers.get("X-Partial") };
}

async function post(file, options, signal) {
  const body = new FormData();
  body.set("file", file);
  for (const [name, value] of Object.entries(options)) body.set(name, String(value));
  let response;
  try {
    response = await fetch(ENDPOINT, { method: "POST", body, headers: apiHeaders(), signal });
  } catch {
    signal.throwIfAborted();
    throw new RequestError(0, "No response", "The server could not be reached.");
  }
  if (!response.ok) throw await toRequestError(response);
  return response;
}
