// Overlay of an analyzed video during playback: the result of a frame is shown until the next one.

import { nearest } from "./chart.js";
import { drawFaces } from "./overlay.js";

export class Replay {
  /** Draws on `canvas`, which covers `video`. `onTime(seconds)`: called whenever another time is shown. */
  constructor(video, canvas, style, onTime) {
    Object.assign(this, { video, canvas, style, onTime });
    this.context = canvas.getContext("2d");
    for (const name of ["seeked", "timeupdate", "play"]) video.addEventListener(name, () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  /** Show the results `frames` ({time, faces}) of a video of `size` {width, height}, analyzed every `step` seconds; null clears. */
  show(frames, size, step) {
    Object.assign(this, { frames, size, step });
    this.#draw();
  }

  #draw() {
    const { canvas, video } = this;
    if (!this.frames || !canvas.clientWidth) return;
    if (!video.paused && video.requestVideoFrameCallback && !this.requested) {
      this.requested = true;
      video.requestVideoFrameCallback(() => {
        this.requested = false;
        this.#draw();
      });
    }
    const { width, height } = this.size;
    const scale = Math.min(canvas.clientWidth / width, canvas.clientHeight / height) * (window.devicePixelRatio || 1);
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    const frame = nearest(this.frames, video.currentTime - this.step * 0.5 + 0.001, this.step); // mostly the preceding one
    if (frame) drawFaces(this.context, frame.faces, this.style, { scale, bars: true });
    this.onTime(video.currentTime);
  }
}
