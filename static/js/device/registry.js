// Models of a manifest (models/manifest.json of the project), loaded once on first use.

import { Model } from "./runtime.js";

const SCHEMA = 1;

/** The models of one manifest. */
export class ModelRegistry {
  #entries;
  #loadBytes;
  #models = new Map();

  /**
   * @param {object} manifest parsed manifest.json
   * @param {(entry: object) => Promise<Uint8Array>} loadBytes returns the content of an entry's file
   * @throws {Error} if the manifest is of another schema
   */
  constructor(manifest, loadBytes) {
    const isKnown = manifest?.schema === SCHEMA && Array.isArray(manifest.models);
    if (!isKnown) throw new Error("the manifest of the models is of another schema");
    this.#entries = manifest.models;
    this.#loadBytes = loadBytes;
  }

  /** Entries in the manifest's order (the first of a role is the default), all or those of a role. */
  entries(role = null) {
    return this.#entries.filter((entry) => role === null || entry.role === role);
  }

  /**
   * Return the entry with this name, or the one with this role and name; without a name the first of the role.
   *
   * @param {string} name name of the model, unique among the roles that read faces
   * @param {string} [role] its role
   * @throws {Error} if there is none
   */
  entry(name, role = null) {
    const found = this.entries(role).find((entry) => name === null || entry.name === name);
    if (found) return found;
    const names = this.entries(role).map((entry) => entry.name);
    throw new Error(`no model called ${name} in the manifest; there is: ${names.join(", ") || "none"}`);
  }

  /** Return the entry's model; all callers share it. A failed loading is tried again by the next call. */
  async model(entry) {
    const key = `${entry.role} ${entry.name}`;
    if (!this.#models.has(key)) {
      const model = this.#loadBytes(entry).then((bytes) => Model.load(bytes));
      this.#models.set(key, model);
      model.catch(() => this.#models.delete(key));
    }
    return this.#models.get(key);
  }

  /** Free the memory of all models. */
  async delete() {
    const models = [...this.#models.values()];
    this.#models.clear();
    for (const model of await Promise.allSettled(models)) model.value?.delete();
  }
}
