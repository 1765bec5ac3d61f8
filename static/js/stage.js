// The picture on the page: the frame that was read with what was read on it, so that no overlay can lag behind its frame.

import { describe, drawFaces } from "./overlay.js";

const MOST_PIXELS = 1600; // of the longer side on the screen: STYLE's max_side

export class Stage {
  constructor(canvas, style) {
    this.canvas = canvas;
    this.style = style;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  /** Show `frame` (a canvas as it was sent) with the `faces` of its answer. Options as drawFaces takes them. */
  show(frame, faces, options) {
    const scale = this.#fit(frame);
    const { width, height } = this.canvas;
    this.context.setTransform(options.mirrored ? -1 : 1, 0, 0, 1, options.mirrored ? width : 0, 0);
    this.context.drawImage(frame, 0, 0, width, height);
    this.context.resetTransform();
    drawFaces(this.context, faces, this.style, { ...options, scale });
  }

  /** Say what the picture shows to who cannot see it. */
  name(faces) {
    this.canvas.setAttribute("aria-label", `Camera picture. ${describe(faces)}`);
  }

  /** Give the canvas as many pixels as the screen shows, so that lines and texts are sharp. */
  #fit(frame) {
    const { clientWidth, clientHeight } = this.canvas;
    const shown = Math.min(clientWidth / frame.width, clientHeight / frame.height) * (window.devicePixelRatio || 1);
    const most = MOST_PIXELS / Math.max(frame.width, frame.height);
    const scale = Math.min(Math.max(shown, 1), most);
    const size = [Math.round(frame.width * scale), Math.round(frame.height * scale)];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    return size[0] / frame.width;
  }
}
