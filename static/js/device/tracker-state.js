// Tracker state between frames and its JSON form, as emotions/video/tracker_state.py. The state may come from a server or a file,
// so it is validated as untrusted input. All its numbers are integers.
//
// A state is { clock, nextId, tracks }: milliseconds of the last frame (null before the first), the id of the next new track, and
// at most MAX_TRACKS tracks. A track is { id, box, velocity, age, probabilities, appearance }: box as center x and y, width and
// height in 1 / COORD_SCALE of the image's longer side, velocity [x, y] in that unit a second, age in milliseconds since the last
// observation, probabilities in 1 / PROB_SCALE, and appearance a Uint8Array of DESCRIPTOR_BYTES.

import { CONSTANTS } from "./constants.js";

const { EMOTIONS } = CONSTANTS.labels;
const { DESCRIPTOR_BYTES, MAX_AGE, MAX_BYTES, MAX_CLOCK, MAX_COORD, MAX_ID, MAX_TRACKS, PROB_SCALE, VERSION } =
  CONSTANTS["video.tracker_state"];
const BASE64 = new RegExp(`^[A-Za-z0-9+/]{${(DESCRIPTOR_BYTES / 3) * 4}}$`);
const FOREIGN = "The tracks are not those of an earlier response.";
const FIELDS = ["clock", "next", "tracks", "version"];

/** A tracker state that is malformed, too long or not of this tracker. */
export class TrackerStateError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "TrackerStateError";
  }
}

/** Serialize a state to at most MAX_BYTES of ASCII JSON. */
export function dumps({ clock, nextId, tracks }) {
  return JSON.stringify({ version: VERSION, clock, next: nextId, tracks: tracks.map(trackJson) });
}

function trackJson({ id, box, velocity, age, probabilities, appearance }) {
  return [id, ...box, ...velocity, age, ...probabilities, btoa(String.fromCharCode(...appearance))];
}

/**
 * Parse the text of dumps(); an empty text gives an empty state.
 *
 * @param {string} text
 * @returns {object} the state
 * @throws {TrackerStateError} if the text is too long, malformed, out of range or of another version
 */
export function loads(text) {
  if (text === "") return { clock: null, nextId: 0, tracks: [] };
  const body = parse(text);
  if (body.version !== VERSION) throw new TrackerStateError("The tracks are of another version; start again with empty ones.");
  if (Object.keys(body).sort().join() !== FIELDS.join()) throw new TrackerStateError(FOREIGN);
  const clock = body.clock === null ? null : integer(body.clock, 0, MAX_CLOCK, "clock");
  const nextId = integer(body.next, 0, 2 * MAX_ID, "next");
  if (nextId > MAX_ID) throw new TrackerStateError("These tracks have used up their ids; start again with empty ones.");
  const rows = body.tracks;
  if (!Array.isArray(rows) || rows.length > MAX_TRACKS || (rows.length && clock === null)) {
    throw new TrackerStateError(`The tracks must be a list of at most ${MAX_TRACKS}.`);
  }
  const tracks = rows.map((row) => parseTrack(row, nextId));
  if (new Set(tracks.map(({ id }) => id)).size < tracks.length) throw new TrackerStateError("Two tracks have the same id.");
  return { clock, nextId, tracks };
}

function parse(text) {
  if (typeof text !== "string") throw new TrackerStateError("The tracks are not those of an earlier response: they are no text.");
  if (text.length > MAX_BYTES) throw new TrackerStateError(`The tracks have more than ${MAX_BYTES.toLocaleString("en")} bytes.`);
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new TrackerStateError("The tracks are not those of an earlier response: they are not valid JSON.");
  }
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  if (!isObject || !Number.isInteger(body.version)) throw new TrackerStateError(FOREIGN);
  return body;
}

function parseTrack(row, nextId) {
  if (!Array.isArray(row) || row.length !== 9 + EMOTIONS.length) {
    throw new TrackerStateError("A track does not have the fields of an earlier response.");
  }
  const probabilities = row.slice(8, -1).map((value) => integer(value, 0, PROB_SCALE, "probability"));
  if (Math.abs(probabilities.reduce((sum, value) => sum + value, 0) - PROB_SCALE) > EMOTIONS.length) {
    throw new TrackerStateError("A track's probabilities do not sum to 1.");
  }
  return {
    id: integer(row[0], 0, nextId - 1, "id"),
    box: [
      integer(row[1], -MAX_COORD, MAX_COORD, "position"),
      integer(row[2], -MAX_COORD, MAX_COORD, "position"),
      integer(row[3], 1, MAX_COORD, "width"),
      integer(row[4], 1, MAX_COORD, "height"),
    ],
    velocity: [integer(row[5], -MAX_COORD, MAX_COORD, "velocity"), integer(row[6], -MAX_COORD, MAX_COORD, "velocity")],
    age: integer(row[7], 0, MAX_AGE, "age"),
    probabilities,
    appearance: parseAppearance(row.at(-1)),
  };
}

function integer(value, low, high, name) {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new TrackerStateError(`A ${name} in the tracks is not an integer in its range.`);
  }
  return value;
}

function parseAppearance(value) {
  if (typeof value !== "string" || !BASE64.test(value)) {
    throw new TrackerStateError("A track's appearance is not that of an earlier response.");
  }
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
}
