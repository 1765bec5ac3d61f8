// Expression classifier: face crops -> backbone features -> a dense head's logits -> calibrated probabilities. As
// emotions/face/classifier.py, one face at a time.

import { CONSTANTS } from "./constants.js";
import { cropViews } from "./views.js";

const { COVERED_ROLE } = CONSTANTS["face.classifier"];
const { DEFAULT_HEAD } = CONSTANTS["face.defaults"];

/** A backbone and one of the dense heads that were trained on its features. */
export class ExpressionClassifier {
  #registry;

  /**
   * @param {ModelRegistry} registry models to use
   * @param {string} [head] name of an expression head of the manifest
   * @throws {Error} if the manifest lacks the head or its backbone
   */
  constructor(registry, head = DEFAULT_HEAD) {
    this.#registry = registry;
    this.head = registry.entry(head, "expression-head");
    this.backbone = registry.entry(this.head.base, "expression-base");
    this.drawn = this.#beside("drawn-head");
    this.covered = this.#beside(COVERED_ROLE);
  }

  /** The entry of a role that was trained on the backbone, null if there is none. */
  #beside(role) {
    return this.#registry.entries(role).find((entry) => entry.base === this.backbone.name) ?? null;
  }

  /** Side of the square crops in pixels. */
  get size() {
    return this.backbone.input.size;
  }

  /** Name and version, as every answer carries them. */
  get description() {
    return { name: `${this.backbone.name}/${this.head.name}`, version: this.head.version };
  }

  /**
   * Compute the bottleneck features of face crops.
   *
   * @param {Uint8Array[]} crops N crops of size * size grey values
   * @returns {Promise<Float32Array[]>} N vectors
   * @throws {RangeError} if a crop has another size
   */
  async features(crops) {
    const model = await this.#registry.model(this.backbone);
    const found = [];
    for (const crop of crops) {
      if (crop.length !== this.size ** 2) throw new RangeError(`a crop must have ${this.size ** 2} pixels, not ${crop.length}`);
      const [features] = await model.run(Float32Array.from(crop));
      found.push(features);
    }
    return found;
  }

  /**
   * Compute the features of several views of face crops.
   *
   * @param {Uint8Array[]} crops as for features()
   * @param {number} views see cropViews()
   * @returns {Promise<Float32Array[][]>} for each view the N vectors; those of the crops themselves come first
   */
  async viewFeatures(crops, views) {
    const byCrop = crops.map((crop) => cropViews(crop, views));
    const found = [];
    for (let view = 0; view < views; view++) found.push(await this.features(byCrop.map((all) => all[view])));
    return found;
  }

  /**
   * Return calibrated probabilities for features, in the order of EMOTIONS.
   *
   * @param {Float32Array[]} features N vectors
   * @returns {Promise<Float32Array[]>} N vectors of 7 that sum to 1
   */
  async probabilities(features) {
    const logits = await this.#outputs(this.head, features);
    return logits.map((row) => softmax(row, this.head.temperature));
  }

  /**
   * Average the probabilities of several views of the same faces.
   *
   * @param {Float32Array[][]} viewFeatures as viewFeatures() returns them
   * @returns {Promise<Float32Array[]>} N vectors of 7 that sum to 1
   */
  async meanProbabilities(viewFeatures) {
    const [first, ...others] = await Promise.all(viewFeatures.map((features) => this.probabilities(features)));
    return first.map((row, face) => row.map((value, emotion) =>
      others.reduce((sum, rows) => Math.fround(sum + rows[face][emotion]), value) / viewFeatures.length));
  }

  /**
   * Return the probability for each face that it is drawn; null without a head for that.
   *
   * @param {Float32Array[]} features N vectors
   * @returns {Promise<number[] | null>}
   */
  async drawnProbabilities(features) {
    if (!this.drawn) return null;
    const logits = await this.#outputs(this.drawn, features);
    return logits.map(([logit]) => 1 / (1 + Math.exp(-logit / (this.drawn.temperature ?? 1))));
  }

  /**
   * Return for each face whether mouth or eyes are covered, such as by a mask or a hand; false for all without a head for that.
   *
   * @param {Float32Array[]} features N vectors
   * @returns {Promise<boolean[]>}
   */
  async areCovered(features) {
    if (!this.covered) return features.map(() => false);
    const logits = await this.#outputs(this.covered, features);
    return logits.map(([logit]) => logit > this.covered.thresholds.covered);
  }

  async #outputs(entry, features) {
    const model = await this.#registry.model(entry);
    const found = [];
    for (const vector of features) found.push((await model.run(vector))[0]);
    return found;
  }
}

/** Convert logits to probabilities with temperature scaling. */
function softmax(logits, temperature = 1) {
  const scaled = Array.from(logits, (value) => value / temperature);
  const highest = Math.max(...scaled);
  const powers = scaled.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}
