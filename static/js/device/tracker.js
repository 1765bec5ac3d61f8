// Multi-face tracking: ids that persist, and probabilities smoothed over time, as emotions/video/tracker.py.
//
// Smoothing is exponential: a frame has the weight 1 - exp(-dt / TAU), dt the seconds since the track's last observation.

import { describe, update as updateAppearance } from "./appearance.js";
import { associate } from "./association.js";
import { CONSTANTS } from "./constants.js";
import { roundHalfEven } from "./geometry.js";
import { unsureReasonAfterSmoothing } from "./reliability.js";
import { scaledBox } from "./results.js";
import { dumps, loads } from "./tracker-state.js";

const { DEFAULT_INTERVAL, TAU, VELOCITY_TAU } = CONSTANTS["video.tracker"];
const { CLEAR_SCORE } = CONSTANTS["video.association"];
const { COORD_SCALE, MAX_AGE, MAX_CLOCK, MAX_COORD, MAX_TRACKS, PROB_SCALE } = CONSTANTS["video.tracker_state"];
const INTERVAL = roundHalfEven(1000 * DEFAULT_INTERVAL);

/** Tracks the faces of one video or camera. */
export class FaceTracker {
  #state;

  /**
   * @param {string} [state] the `state` of an earlier tracker, in the browser or on a server, to continue it
   * @throws {TrackerStateError} if it is not one that a tracker gave
   */
  constructor(state = "") {
    this.#state = loads(state);
  }

  /** The tracker's state as ASCII JSON of at most 8,192 bytes. */
  get state() {
    return dumps(this.#state);
  }

  /**
   * Track the faces of the next frame. Ids count from 0 in order of appearance and are never reused.
   *
   * @param {{data: Uint8Array, width: number, height: number}} image the frame, RGB
   * @param {object} result its faces, as FaceAnalyzer.predict() returned them; see results.js
   * @param {number} [time] seconds from any origin, 0 to 1e9; a time that is missing or does not advance counts as 1/15 second
   * @param {number} [held] seconds for which the frame then stays on screen
   * @returns {object} the result with track ids, smoothed `probabilities`, and those of this frame alone as `raw`
   * @throws {RangeError} if the time is out of range, or that for which the frame is held
   */
  update(image, result, time = undefined, held = 0) {
    const started = performance.now();
    if (!isSeconds(held)) throw new RangeError(`held must be seconds from 0 to 1e9, not ${held}`);
    const [now, elapsed] = this.#advance(time);
    const stay = Math.min(roundHalfEven(1000 * held), MAX_CLOCK - now);
    const observations = observe(image, result);
    const tracks = this.#state.tracks.map((one) => ({ ...one, age: one.age + elapsed })).filter(({ age }) => age <= MAX_AGE);
    const pairs = associate(observations, tracks, tracks.map(({ age }) => age > elapsed));
    let { nextId } = this.#state;
    const observed = [];
    const faces = result.faces.map((face, index) => {
      const [track, probabilities] = pairs.has(index)
        ? continued(tracks[pairs.get(index)], observations[index], face.probabilities, stay)
        : [newTrack(nextId++, observations[index], face.probabilities), face.probabilities];
      observed.push(track);
      const unsure = unsureReasonAfterSmoothing(face.unsure, Math.max(...probabilities), result.thresholds);
      return { ...face, id: track.id, probabilities, raw: face.probabilities, unsure };
    });
    const found = new Set(pairs.values());
    const unseen = tracks.filter((_, index) => !found.has(index)).map((track) => ({ ...track, age: track.age + stay }));
    const lost = unseen.filter(({ age }) => age <= MAX_AGE).sort((one, other) => one.age - other.age || other.id - one.id);
    this.#state = { clock: now + stay, nextId, tracks: [...observed, ...lost].slice(0, MAX_TRACKS) };
    return { ...result, faces, timing: { ...result.timing, follow: performance.now() - started } };
  }

  /** The clock of this frame and the time since the last one, in milliseconds; more than MAX_AGE to drop all tracks. */
  #advance(time) {
    const before = this.#state.clock;
    if (time === undefined || time === null) return before === null ? [0, 0] : [Math.min(before + INTERVAL, MAX_CLOCK), INTERVAL];
    if (!isSeconds(time)) throw new RangeError(`time must be seconds from 0 to 1e9, not ${time}`);
    const now = roundHalfEven(1000 * time);
    if (before === null) return [now, 0];
    const elapsed = now - before;
    return [now, elapsed < -MAX_AGE ? MAX_AGE + 1 : elapsed <= 0 ? INTERVAL : elapsed];
  }
}

const isSeconds = (value) => typeof value === "number" && value >= 0 && value <= MAX_CLOCK / 1000;

function observe(image, { width, height, faces }) {
  const unit = COORD_SCALE / Math.max(width, height);
  const scale = width / image.width;
  const described = describe(image, faces.map(({ box }) => scaledBox(box, 1 / scale)));
  return faces.map(({ box, score }, index) => ({
    box: quantizedBox(scaledBox(box, unit)),
    appearance: described[index].descriptor,
    occluded: described[index].occluded,
    clear: score === null || score >= CLEAR_SCORE,
  }));
}

function quantizedBox({ left, top, width, height }) {
  return [bounded(left + width / 2), bounded(top + height / 2), Math.max(bounded(width), 1), Math.max(bounded(height), 1)];
}

function newTrack(id, { box, appearance }, probabilities) {
  return { id, box, velocity: [0, 0], age: 0, probabilities: quantizedProbabilities(probabilities), appearance };
}

/** Return the track with the observation included, which lasts for `stay` milliseconds more, and its smoothed probabilities. */
function continued(track, observation, probabilities, stay) {
  const seconds = track.age / 1000;
  const total = track.probabilities.reduce((sum, value) => sum + value, 0);
  const weight = 1 - Math.exp(-(seconds + stay / 1000) / TAU);
  const smoothed = track.probabilities.map((value, index) => value / total + weight * (probabilities[index] - value / total));
  const share = 1 - Math.exp(-seconds / VELOCITY_TAU);
  const rest = Math.exp(-stay / 1000 / VELOCITY_TAU); // of the velocity, when the face has stood still for that long
  const velocity = track.velocity.map((old, axis) => {
    const measured = (observation.box[axis] - track.box[axis]) / seconds;
    return bounded(rest * (old + share * (measured - old)));
  });
  const appearance = observation.clear // else the colors may be those of a person in front
    ? updateAppearance(track.appearance, observation.appearance, seconds + stay / 1000)
    : track.appearance;
  const { id } = track;
  return [{ id, box: observation.box, velocity, age: 0, probabilities: quantizedProbabilities(smoothed), appearance }, smoothed];
}

const quantizedProbabilities = (values) => Array.from(values, (value) => roundHalfEven(value * PROB_SCALE));
const bounded = (value) => roundHalfEven(Math.min(Math.max(value, -MAX_COORD), MAX_COORD)) + 0; // not -0
