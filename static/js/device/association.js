// Data association: assign the detections of a frame to tracks by position, size and appearance, as
// emotions/video/association.py.
//
// An observation is { box, appearance, occluded, clear }: the box in the unit of tracks, the descriptor of appearance.js, whether
// another face may cover part of the head, and false for `clear` where the detector is not sure of the face.

import { distance } from "./appearance.js";
import { CONSTANTS } from "./constants.js";

const { APPEARANCE_STD, OCCLUDED_LIMIT, UNKNOWN_COST, VISIBLE_LIMIT } = CONSTANTS["video.association"];
const { POSITION_STD, SIZE_STD, VELOCITY_DECAY } = CONSTANTS["video.association"];
const { GATE, LOST_GATE, LOST_PENALTY, UNCLEAR_GATE } = CONSTANTS["video.association"];

/**
 * Assign observations to tracks, cheapest pair first, each at most once. Of equal costs the first observation and track comes
 * first.
 *
 * @param {object[]} observations the faces of the new frame
 * @param {object[]} tracks the tracks, with ages up to the new frame
 * @param {boolean[]} lost which of the tracks were not observed in the last frame
 * @returns {Map<number, number>} index of the observation -> index of the track
 */
export function associate(observations, tracks, lost) {
  const predicted = tracks.map(predict);
  const candidates = observations.flatMap((observation, row) => tracks.flatMap((track, column) => {
    const cost = costOf(observation, track, predicted[column], lost[column]);
    return Number.isFinite(cost) ? [{ row, column, order: cost + (lost[column] ? LOST_PENALTY : 0) }] : [];
  }));
  candidates.sort((one, other) => one.order - other.order); // a stable sort
  const pairs = new Map();
  const taken = new Set();
  for (const { row, column } of candidates) {
    if (pairs.has(row) || taken.has(column)) continue;
    pairs.set(row, column);
    taken.add(column);
  }
  return pairs;
}

/** Predict the center of a track's box. */
function predict({ box, velocity, age }) {
  const seconds = VELOCITY_DECAY * (1 - Math.exp(-(age / 1000) / VELOCITY_DECAY));
  return [box[0] + velocity[0] * seconds, box[1] + velocity[1] * seconds];
}

/** Sum of squares in standard deviations; infinite beyond the gate. */
function costOf(observation, track, [x, y], isLost) {
  const seconds = track.age / 1000;
  const side = Math.sqrt(observation.box[2] * observation.box[3]);
  const lastSide = Math.sqrt(track.box[2] * track.box[3]);
  const [right, down] = [observation.box[0] - x, observation.box[1] - y];
  const shift = Math.sqrt(right * right + down * down) / Math.sqrt(side * lastSide);
  const growth = Math.log(side / lastSide);
  const motion = square(shift / deviation(POSITION_STD, seconds)) + square(growth / deviation(SIZE_STD, seconds));
  const difference = distance(observation.appearance, track.appearance);
  const appearance = Number.isNaN(difference) ? UNKNOWN_COST : square(difference / APPEARANCE_STD);
  const isHidden = observation.occluded || !observation.clear;
  const limit = !isLost ? VISIBLE_LIMIT : isHidden ? OCCLUDED_LIMIT : Infinity;
  const cost = Math.min(appearance, limit) + motion;
  const gate = !isLost ? GATE : observation.clear ? LOST_GATE : UNCLEAR_GATE;
  return cost <= gate ? cost : Infinity;
}

const square = (value) => value * value;
const deviation = ([now, later], seconds) => now + later * seconds;
