// Face detection: boxes by BlazeFace and the detector of drawn faces, largest face first, and landmarks by Face Mesh.

import { beside, cornersOf, largestFirst, oneEach } from "./boxes.js";
import { BlazeFace, detectionOf, toDetection } from "./blazeface.js";
import { bestFirst, overlapGroups, SCORE, weightedMean } from "./candidates.js";
import { CONSTANTS } from "./constants.js";
import { DrawnFaceDetector } from "./drawn-detector.js";
import { flatness } from "./flatness.js";
import { FaceMesh, regionOfBox, scoreOf } from "./landmarks.js";
import { rightWayUp } from "./orientation.js";

const { FULL_SCALE, PYRAMID_SCALES } = CONSTANTS["face.blazeface"];
const { CLOSER_BELOW, CLOSER_SIDE, DETECTORS, LARGE_IMAGE, MAX_CANDIDATES } = CONSTANTS["face.detector"];
const { MAX_CLOSER_LOOKS, MAX_PROPOSALS, MERGE_IOU, TILE_SIZE } = CONSTANTS["face.detector"];
const { PLAUSIBLE } = CONSTANTS["face.landmarks"];
const { ROLE } = CONSTANTS["face.drawn_detector"];
const FULL_RANGE = "blazeface-full-range";
const BACK_CAMERA = "blazeface-back-camera";

/** The face detectors and Face Mesh. Models are loaded on first use. Images are RGB: see pixels.js. */
export class FaceDetector {
  #registry;
  #drawn = null;
  #loaded = new Map();

  /**
   * @param {object} registry models to use, see registry.js
   * @param {object} [options]
   * @param {string} [options.backbone] name of the expression backbone that `features` belongs to
   * @param {(crops: Uint8Array[]) => Promise<Float32Array[]>} [options.features] from grey crops to the backbone's features.
   *   With it, and a verifier trained on that backbone, drawn faces are searched for; without, only BlazeFace's own boxes are
   *   considered
   */
  constructor(registry, { backbone = null, features = null } = {}) {
    this.#registry = registry;
    const verifier = registry.entries(ROLE).find((entry) => entry.base === backbone);
    if (features && verifier) this.#drawn = new DrawnFaceDetector(verifier, () => registry.model(verifier), features);
  }

  /**
   * Detect the faces of an image.
   *
   * @param {{data: Uint8Array, width: number, height: number}} image RGB
   * @param {"auto" | "blazeface" | "none"} [detector] `blazeface` runs the full-range model. `auto` also runs it on tiles of a
   *   large image and on enlarged parts around weak candidates; where there is still no face it runs the back-camera model,
   *   which detects drawn faces and faces that fill the image. Where no face of `auto` stands upright by its landmarks, the
   *   image is searched rotated by quarter turns too. `none` takes the whole image as one face.
   * @returns {Promise<{used: string, detections: object[]}>} the detector that was used (`auto` gives `blazeface`), and up to
   *   MAX_FACES detections (see blazeface.js), largest first
   * @throws {RangeError} for any other name
   * @throws {Error} for `haar`, OpenCV's cascade, which is not available in the browser
   */
  async detect(image, detector = "auto") {
    if (!DETECTORS.includes(detector)) throw new RangeError(`detector must be one of ${DETECTORS.join(", ")}, not ${detector}`);
    if (detector === "haar") throw new Error("the detector haar is available on the server alone");
    if (detector === "none") return { used: "none", detections: [await this.#wholeImage(image)] };
    if (detector === "blazeface") return { used: "blazeface", detections: oneEach(await this.#detectFullRange(image)) };
    let faces = await this.detectSmall(image);
    if (!faces.length) faces = await this.#detectBackCamera(image);
    return { used: "blazeface", detections: oneEach(await rightWayUp(this, image, oneEach(faces))) };
  }

  /**
   * Predict the landmarks of a detected face.
   *
   * @param {object} image RGB
   * @param {object} detection a face of this image
   * @returns {Promise<Float32Array | null>} (468, 3): x, y and depth in pixels of the image; null where Face Mesh finds no face
   */
  async landmarks(image, detection) {
    const landmarks = detection.landmarks ?? (await this.predictLandmarks(image, detection));
    const { thresholds } = (await this.#mesh()).entry;
    return scoreOf(landmarks) >= thresholds.score ? landmarks.points : null;
  }

  /** Return the full-range model. */
  async fullRange() {
    return this.#blazeface(FULL_RANGE);
  }

  /** Predict the landmarks {points, logit} of a face, also of one in a photo that stands on its head or lies on its side. */
  async predictLandmarks(image, face) {
    const region = regionOfBox(face.innerBox ?? face.box, face.keypoints, face.turns);
    const mesh = await this.#mesh();
    const landmarks = await mesh.predictRefined(image, region);
    if (landmarks.logit >= PLAUSIBLE || this.mayBeDrawn(image, face)) return landmarks;
    return mesh.predictTurned(image, region, landmarks);
  }

  /** Predict the landmarks {points, logit} of a face in one pass. */
  async predictOnce(image, face) {
    return (await this.#mesh()).predict(image, regionOfBox(face.box, face.keypoints, face.turns));
  }

  /** True if a face has the flat colors of a drawing, whose landmarks do not tell which way up it is. */
  mayBeDrawn(image, face) {
    const { thresholds } = this.#registry.entry(BACK_CAMERA, "detector");
    return flatness(image, face.innerBox ?? face.box) >= thresholds.drawn_flatness;
  }

  /**
   * Run the full-range model coarse to fine: on the whole image, on tiles of a large one, on parts around weak candidates.
   * Reduced to the input's size, a group's faces are a few pixels; they still leave candidates with a low score.
   */
  async detectSmall(image, turns = 0) {
    const model = await this.fullRange();
    const { thresholds } = model.entry;
    const isBelow = (name) => (row) => row[SCORE] < Math.fround(thresholds[name]);
    const [rows] = await model.detect(image, thresholds.weak, { turns });
    const faces = await this.#confirmed(image, model, rows.filter((row) => !isBelow("doubtful")(row)), "score", turns);
    let weak = rows.filter(isBelow("score"));
    let seen = Math.max(image.width, image.height);
    if (seen > LARGE_IMAGE) {
      seen = TILE_SIZE;
      weak = await model.detectTiled(image, thresholds.weak, TILE_SIZE, turns, faces.map((face) => cornersOf(face.box)));
    }
    weak = beside(weak, faces);
    const strong = weak.filter((row) => !isBelow("score_closer")(row));
    faces.push(...(await this.#confirmed(image, model, strong, "score_closer", turns)));
    weak = weak.filter((row) => isBelow("score_closer")(row) && row[3] - row[1] <= CLOSER_BELOW * seen);
    const closer = await model.detectParts(image, thresholds.doubtful, weak, CLOSER_SIDE, MAX_CLOSER_LOOKS, turns);
    return [...faces, ...(await this.#confirmed(image, model, beside(closer, faces), "score_closer", turns))];
  }

  async #detectFullRange(image) {
    const model = await this.fullRange();
    const [rows] = await model.detect(image, model.entry.thresholds.doubtful);
    return this.#confirmed(image, model, rows, "score");
  }

  /** Take the whole image as one face; Face Mesh starts from the largest detected face. */
  async #wholeImage(image) {
    const box = { left: 0, top: 0, width: image.width, height: image.height };
    let faces = await this.#detectFullRange(image);
    if (!faces.length) faces = await this.#detectBackCamera(image);
    const [largest] = largestFirst(faces);
    return largest ? detectionOf(box, 1, { keypoints: largest.keypoints, innerBox: largest.box }) : detectionOf(box, 1);
  }

  /** Keep candidates above the named threshold, and those below it in which Face Mesh finds a face too. */
  async #confirmed(image, model, rows, threshold, turns = 0) {
    const { thresholds, box } = model.entry;
    const kept = [];
    for (const row of rows.slice(0, MAX_CANDIDATES)) {
      const face = toDetection(row, box, turns);
      const isSure = face.score >= thresholds[threshold] || scoreOf(await this.predictOnce(image, face)) >= thresholds.mesh;
      if (isSure) kept.push(face);
    }
    return kept;
  }

  /**
   * Run the back-camera model at five scales: it detects faces that fill the image, and drawn ones.
   *
   * Its score threshold is low, so a proposal needs more: Face Mesh finds a face and the scores summed over the scales (the
   * evidence) are high enough, or the verifier takes it for a drawn face. Without a verifier, the flat colors of a drawing and
   * some evidence are enough.
   */
  async #detectBackCamera(image) {
    const model = await this.#blazeface(BACK_CAMERA);
    const { thresholds, box } = model.entry;
    const levels = [];
    for (const scales of [FULL_SCALE, PYRAMID_SCALES]) levels.push(...(await model.detect(image, thresholds.score, { scales })));
    const found = [];
    const proposals = [];
    for (const group of overlapGroups(levels.flat(), MERGE_IOU).slice(0, MAX_PROPOSALS)) {
      const evidence = evidenceOf(group, levels);
      const face = toDetection(weightedMean(group), box);
      proposals.push(face.box);
      if (await this.#isFace(image, face, evidence, thresholds)) found.push({ face, evidence });
    }
    const strongest = Math.max(0, ...found.map(({ evidence }) => evidence));
    const faces = found.filter(({ evidence }) => evidence >= thresholds.of_strongest * strongest).map(({ face }) => face);
    if (faces.length || !this.#drawn) return faces;
    return (await this.#drawn.detect(image, proposals)).map((drawn) => detectionOf(drawn.box, drawn.score));
  }

  async #isFace(image, face, evidence, thresholds) {
    const mayBeDrawn = !this.#drawn && evidence >= thresholds.drawn_evidence;
    if (mayBeDrawn && flatness(image, face.box) >= thresholds.drawn_flatness) return true;
    return evidence >= thresholds.mesh_evidence && scoreOf(await this.predictOnce(image, face)) >= thresholds.mesh;
  }

  async #blazeface(name) {
    return this.#once(name, async () => {
      const entry = this.#registry.entry(name, "detector");
      return new BlazeFace(entry, await this.#registry.model(entry));
    });
  }

  async #mesh() {
    return this.#once("face-mesh", async () => {
      const entry = this.#registry.entry("face-mesh", "landmarks");
      return new FaceMesh(entry, await this.#registry.model(entry));
    });
  }

  /** Return what `create` made for this name; a failed loading is tried again by the next call. */
  async #once(name, create) {
    if (!this.#loaded.has(name)) this.#loaded.set(name, await create());
    return this.#loaded.get(name);
  }
}

/** Sum over the levels of the best score of a group of candidates in each. */
function evidenceOf(group, levels) {
  const members = new Set(group);
  return levels.reduce((sum, rows) => sum + (bestFirst(rows.filter((row) => members.has(row)))[0]?.[SCORE] ?? 0), 0);
}
