// Face analysis of an image: detection, landmarks, alignment and classification, as emotions/face/analyzer.py.

import { alignCrop } from "./alignment.js";
import { ExpressionClassifier } from "./classifier.js";
import { CONSTANTS } from "./constants.js";
import { FaceDetector } from "./detector.js";
import { fromImageBitmap } from "./pixels.js";
import { measureQuality, unsureReason } from "./reliability.js";
import { imageJson, scaledBox } from "./results.js";
import { FaceTracker } from "./tracker.js";
import { checkViews } from "./views.js";

const { DRAWN } = CONSTANTS["face.classifier"];
const { DEFAULT_VIEWS } = CONSTANTS["face.defaults"];
const { MAX_SIDE } = CONSTANTS["image.loading"];
const OPTIONS = ["detector", "landmarks", "views", "tracks", "time", "isJpeg"];
/** Options of POST /api/v1/image that only the server has. */
const SERVER_OPTIONS = ["explain", "annotate"];

/** All models that images need, loaded on first use. */
export class FaceAnalyzer {
  /**
   * @param {ModelRegistry} registry models to use
   * @param {string} [head] name of an expression head of the manifest
   * @throws {Error} if the manifest lacks a model
   */
  constructor(registry, head) {
    this.classifier = new ExpressionClassifier(registry, head);
    const features = (crops) => this.classifier.features(crops);
    this.detector = new FaceDetector(registry, { backbone: this.classifier.backbone.name, features });
  }

  /**
   * Detect and classify the faces of an image.
   *
   * @param {ImageBitmap | ImageData | {data: Uint8Array, width: number, height: number}} source the image, upright; an object
   *   with `data` in RGB is used as it is
   * @param {object} [options] as of POST /api/v1/image
   * @param {"auto" | "blazeface" | "none"} [options.detector]
   * @param {boolean} [options.landmarks] add the 468 landmarks and the head pose to each face
   * @param {number} [options.views] views of each face over which the probabilities are averaged: 1, 2 or 10
   * @param {string} [options.tracks] track faces through frames: empty for the first frame, then the `tracks` of the last answer
   * @param {number} [options.time] with `tracks`: seconds of the frame from any origin
   * @param {boolean} [options.isJpeg] true for the image of a JPEG file: the server reduces large ones in another way
   * @returns {Promise<object>} the JSON of POST /api/v1/image
   * @throws {RangeError} for values that are not allowed
   * @throws {Error} for what only the server does: `explain`, `annotate` and the detector `haar`
   * @throws {TrackerStateError} if `tracks` is not what an earlier answer gave
   */
  async analyze(source, options = {}) {
    checkOptions(options);
    const tracker = options.tracks === undefined ? null : new FaceTracker(options.tracks);
    const started = performance.now();
    const image = await load(source, options.isJpeg);
    const result = await this.predict(image, { ...options, decodeTime: performance.now() - started });
    if (!tracker) return imageJson(result);
    const body = imageJson(tracker.update(image, result, options.time));
    return { ...body, tracks: tracker.state };
  }

  /**
   * Detect and classify the faces of an image that was loaded; see results.js for the result, which a FaceTracker takes too.
   *
   * @param {{data: Uint8Array, width: number, height: number, fullWidth?: number, fullHeight?: number}} image RGB, and its size
   *   before it was reduced
   * @param {object} [options] `detector`, `landmarks` and `views` as for analyze(), and `decodeTime` in milliseconds
   * @returns {Promise<object>}
   */
  async predict(image, { detector = "auto", landmarks = false, views = DEFAULT_VIEWS, decodeTime = 0 } = {}) {
    checkViews(views);
    const { fullWidth = image.width, fullHeight = image.height } = image;
    const scale = fullWidth / image.width;
    const started = performance.now();
    const { used, detections } = await this.detector.detect(image, detector);
    const meshes = [];
    for (const detection of detections) meshes.push(await this.detector.landmarks(image, detection));
    const detected = performance.now();
    const { crops, answers } = await this.#classify(image, detections, meshes, views);
    const { thresholds = {} } = this.classifier.head;
    const faces = detections.map(({ box, score }, id) => {
      const { probabilities, drawn, covered } = answers[id];
      const quality = measureQuality(image, box, meshes[id], crops[id]);
      return {
        id,
        box: scaledBox(box, scale),
        score: used === "none" ? null : score,
        probabilities,
        drawn,
        unsure: unsureReason(quality, Math.max(...probabilities), thresholds, covered),
        landmarks: landmarks && meshes[id] ? positions(meshes[id], scale) : null,
        pose: quality.pose,
        raw: null,
      };
    });
    const timing = { decode: decodeTime, detect: detected - started, classify: performance.now() - detected };
    const model = this.classifier.description;
    return { width: fullWidth, height: fullHeight, faces, detector: used, views, model, timing, thresholds };
  }

  /** Align and classify faces: their crops, and for each one { probabilities, drawn, covered }. */
  async #classify(image, detections, meshes, views) {
    const { classifier } = this;
    const crops = detections.map(({ box, turns }, index) => alignCrop(image, box, meshes[index], classifier.size, turns));
    const features = await classifier.viewFeatures(crops, views);
    const probabilities = await classifier.meanProbabilities(features);
    const drawn = await classifier.drawnProbabilities(features[0]);
    const covered = await classifier.areCovered(features[0]);
    const answers = crops.map((_, index) => ({
      probabilities: probabilities[index],
      drawn: drawn && drawn[index],
      covered: covered[index] && !(drawn && drawn[index] >= DRAWN), // the head has seen photographs alone
    }));
    return { crops, answers };
  }
}

function checkOptions(options) {
  for (const name of Object.keys(options)) {
    if (SERVER_OPTIONS.includes(name)) {
      if (options[name]) throw new Error(`the option ${name} is available on the server alone`);
    } else if (!OPTIONS.includes(name)) {
      throw new RangeError(`unknown option ${name}; there are: ${OPTIONS.join(", ")}`);
    }
  }
}

/** Return an image's pixels, reduced to MAX_SIDE, with its size before that. */
async function load(source, isJpeg = false) {
  const isLoaded = source.data instanceof Uint8Array && source.data.length === 3 * source.width * source.height;
  const [fullWidth, fullHeight] = [source.displayWidth ?? source.width, source.displayHeight ?? source.height]; // of a VideoFrame
  const image = isLoaded ? source : await fromImageBitmap(source, MAX_SIDE, { isJpeg });
  return { ...image, fullWidth, fullHeight };
}

/** Return the x and y of landmarks, multiplied by `scale`. */
function positions(mesh, scale) {
  const found = new Float64Array((mesh.length / 3) * 2);
  for (let index = 0; index < found.length / 2; index++) {
    found[2 * index] = mesh[3 * index] * scale;
    found[2 * index + 1] = mesh[3 * index + 1] * scale;
  }
  return found;
}
