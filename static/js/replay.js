// A film that was read, played again with what was read on it: each reading stands until the next one.

import { nearest } from "./chart.js";
import { drawFaces } from "./overlay.js";

export class Replay {
  /** Draws on `canvas`, which lies over `video`. `onMoment(seconds)`: called whenever another moment is shown. */
  constructor(video, canvas, style, onMoment) {
    Object.assign(this, { video, canvas, style, onMoment });
    this.context = canvas.getContext("2d");
    for (const name of ["seeked", "timeupdate", "play"]) video.addEventListener(name, () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  /** Show `frames` ({time, faces}) of pictures of `size` {width, height}, read every `step` seconds; none clears. */
  show(frames, size, step) {
    Object.assign(this, { frames, size, step });
    this.#draw();
  }

  #draw() {
    const { canvas, video } = this;
    if (!this.frames || !canvas.clientWidth) return;
    if (!video.paused && video.requestVideoFrameCallback && !this.asked) {
      this.asked = true;
      video.requestVideoFrameCallback(() => {
        this.asked = false;
        this.#draw();
      });
    }
    const { width, height } = this.size;
    const scale = Math.min(canvas.clientWidth / width, canvas.clientHeight / height) * (window.devicePixelRatio || 1);
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    const frame = nearest(this.frames, video.currentTime - this.step * 0.5 + 0.001, this.step); // the last one, mostly
    if (frame) drawFaces(this.context, frame.faces, this.style, { scale, bars: true, numbered: true });
    this.onMoment(video.currentTime);
  }
}
