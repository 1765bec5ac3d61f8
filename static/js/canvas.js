// Canvas that shows an analyzed frame together with its overlay, so that the overlay cannot lag behind the video.

import { describe, drawFaces } from "./overlay.js";

const MAX_SIDE_PIXELS = 1600; // longer side in device pixels: STYLE's max_side

export class FrameCanvas {
  constructor(canvas, style) {
    this.canvas = canvas;
    this.style = style;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  /** Draw `frame` (the canvas that was sent) with the `faces` of its response. `options`: see drawFaces. */
  show(frame, faces, options) {
    const scale = this.#fit(frame);
    const { width, height } = this.canvas;
    this.context.setTransform(options.mirrored ? -1 : 1, 0, 0, 1, options.mirrored ? width : 0, 0);
    this.context.drawImage(frame, 0, 0, width, height);
    this.context.resetTransform();
    drawFaces(this.context, faces, this.style, { ...options, scale });
  }

  /** Set the text alternative of the canvas. */
  setLabel(faces) {
    this.canvas.setAttribute("aria-label", `Camera picture. ${describe(faces)}`);
  }

  /** Match the canvas to the device pixels, so that lines and texts are sharp. Returns canvas pixels per frame pixel. */
  #fit(frame) {
    const { clientWidth, clientHeight } = this.canvas;
    const shown = Math.min(clientWidth / frame.width, clientHeight / frame.height) * (window.devicePixelRatio || 1);
    const limit = MAX_SIDE_PIXELS / Math.max(frame.width, frame.height);
    const scale = Math.min(Math.max(shown, 1), limit);
    const size = [Math.round(frame.width * scale), Math.round(frame.height * scale)];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    return size[0] / frame.width;
  }
}
