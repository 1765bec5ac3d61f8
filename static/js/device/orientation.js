// Which way up an image is: its faces decide, by the orientation of their landmarks.

import { toDetection } from "./blazeface.js";
import { CONSTANTS } from "./constants.js";
import { isUpright } from "./landmarks.js";

const { LARGE_IMAGE, MAX_EXAMINED } = CONSTANTS["face.detector"];
const { CERTAIN } = CONSTANTS["face.landmarks"];
const TURNS = [1, 2, 3];

/**
 * Search an image rotated by quarter turns if none of its faces certainly stands upright.
 *
 * The orientation counts that has the most evidence: the sum of the logits of the landmarks of upright faces. The image keeps its
 * place: the detector's small input is rotated instead. An image with a drawn face is left as it is.
 *
 * @param {import("./detector.js").FaceDetector} detector
 * @param {object} image RGB
 * @param {object[]} faces detections, largest first
 * @returns {Promise<object[]>} detections, with the landmarks that were predicted
 */
export async function rightWayUp(detector, image, faces) {
  const examined = [...faces];
  for (const [index, face] of faces.slice(0, MAX_EXAMINED).entries()) {
    const landmarks = await detector.predictLandmarks(image, face);
    examined[index] = { ...face, landmarks };
    if (isUpright(landmarks, 0, CERTAIN) || detector.mayBeDrawn(image, face)) return examined;
  }
  const known = examined.map((face) => face.landmarks).filter(Boolean);
  const turns = await bestTurns(detector, image, known);
  if (turns) {
    const turned = await detector.detectSmall(image, turns);
    return turned.length ? turned : examined;
  }
  return examined.length ? examined : detectSmallUpsideDown(detector, image);
}

/** Quarter turns clockwise with the most evidence, given the landmarks of the faces that were found without any. */
async function bestTurns(detector, image, known) {
  const model = await detector.fullRange();
  const found = await model.detectTurned(image, model.entry.thresholds.doubtful, TURNS);
  const evidence = [evidenceOf(known, 0)];
  for (const turns of TURNS) {
    const faces = found[turns - 1].slice(0, MAX_EXAMINED).map((row) => toDetection(row, model.entry.box, turns));
    evidence.push(evidenceOf([...known, ...(await predictAll(detector, image, faces))], turns));
  }
  return evidence.indexOf(Math.max(...evidence));
}

/** Run the full-range model on tiles of a large image upside down; of faces on their sides it finds some as they are. */
async function detectSmallUpsideDown(detector, image) {
  if (Math.max(image.width, image.height) <= LARGE_IMAGE) return [];
  const faces = await detector.detectSmall(image, 2);
  const surest = [...faces].sort((first, second) => second.score - first.score).slice(0, MAX_EXAMINED);
  return evidenceOf(await predictAll(detector, image, surest), 2) ? faces : [];
}

async function predictAll(detector, image, faces) {
  const landmarks = [];
  for (const face of faces) landmarks.push(await detector.predictOnce(image, face));
  return landmarks;
}

function evidenceOf(landmarks, turns) {
  return landmarks.reduce((sum, one) => sum + (isUpright(one, turns) ? one.logit : 0), 0);
}
