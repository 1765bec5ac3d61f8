// Draws faces on a canvas as emotions/face/annotate.py draws them on a photo: frame, landmarks and label by the served style. Only
// the browser draws bars beside a face.

import { emotionsOf, percent, textColour, title } from "./style.js";

export const FONT = '"Segoe UI", -apple-system, Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif';
const MAX_BARS = 3; // faces with bars; more would hide the image

const clamped = (longer, rule) => Math.round(Math.min(Math.max(longer * rule.share, rule.min), rule.max ?? longer));

/**
 * Draw `faces` (as the API returns them, largest first) on `context`, whose canvas shows their image.
 * `scale`: canvas pixels per image pixel. `mirrored`: the image is mirrored, texts are not.
 * `bars`: also draw seven bars beside the largest faces. `numbered`: add the numbers of the faces to the labels, where there are several.
 */
export function drawFaces(context, faces, style, { scale = 1, mirrored = false, bars = false, numbered = false } = {}) {
  const { width, height } = context.canvas;
  const longer = Math.max(width, height);
  const line = clamped(longer, style.line);
  const flip = (left, wide) => (mirrored ? width - left - wide - 1 : left); // inclusive of the last pixel, see border()
  const placed = faces.map((face) => {
    const [wide, high] = [face.box.width * scale, face.box.height * scale];
    return { face, colour: style.colours[face.emotion] ?? style.colours.neutral,
      box: { left: flip(face.box.left * scale, wide), top: face.box.top * scale, width: wide, height: high } };
  });
  for (const { face, box, colour } of placed) {
    frame(context, box, colour, line, style);
    points(context, face, scale, flip, longer, style);
  }
  const taken = placed.map(({ box }) => box);
  for (const one of [...placed].reverse()) { // labels last, that of the largest face on top, so that no frame hides a label
    taken.push(label(context, one, line, longer, style, numbered && faces.length > 1));
  }
  if (bars) for (const one of placed.slice(0, MAX_BARS)) taken.push(barsBeside(context, one, taken, line, longer, style));
}

/** Draw a border as Pillow does, inwards and inclusive of the last pixel; a canvas strokes along the middle of the line. */
function border(context, left, top, width, height, radius, line, colour) {
  context.beginPath();
  context.roundRect(left + line / 2, top + line / 2, width + 1 - line, height + 1 - line, Math.max(0, radius - line / 2));
  context.lineWidth = line;
  context.strokeStyle = colour;
  context.stroke();
}

function frame(context, { left, top, width, height }, colour, line, style) {
  const radius = Math.min(width * style.corner.share, style.corner.max);
  const halo = Math.max(1, Math.floor(line / 2));
  border(context, left - halo, top - halo, width + 2 * halo, height + 2 * halo, radius + halo, line + 2 * halo, style.halo);
  border(context, left, top, width, height, radius, line, colour);
}

function points(context, face, scale, flip, longer, style) {
  const radius = clamped(longer, style.point) + 0.5; // as Pillow, inclusive of the last pixel
  context.fillStyle = style.point.colour;
  for (const [x, y] of face.landmarks ?? []) {
    context.beginPath();
    context.arc(flip(x * scale, 0) + 0.5, y * scale + 0.5, radius, 0, 2 * Math.PI);
    context.fill();
  }
}

function plate(context, left, top, width, height, radius, colour) {
  context.beginPath();
  context.roundRect(left, top, width, height, radius);
  context.fillStyle = colour;
  context.fill();
}

/** Draw the label above the frame, or below it where there is no room, always inside the canvas. Returns its rectangle. */
function label(context, { face, box, colour }, line, longer, style, numbered) {
  const size = clamped(longer, style.label);
  const padding = size * style.label.padding;
  const share = `${Math.round(100 * face.confidence)}%${face.unsure ? style.unsure : ""}`;
  const text = `${numbered ? `${face.id + 1} · ` : ""}${title(face.emotion)} ${share}`;
  context.font = `${size}px ${FONT}`;
  const [width, height] = [context.measureText(text).width + 2 * padding, size + 2 * padding];
  const gap = line + style.label.gap;
  let top = box.top - height - gap;
  if (top < 0) top = Math.min(box.top + box.height + gap, context.canvas.height - height);
  const left = Math.min(Math.max(box.left - line, 0), Math.max(context.canvas.width - width, 0));
  plate(context, left, top, width, height, padding, colour);
  context.fillStyle = textColour(colour, style);
  context.textBaseline = "middle";
  context.fillText(text, left + padding, top + height / 2);
  return { left, top, width, height };
}

/** Draw seven bars right or left of the frame, where they hide nothing in `taken`. Returns their rectangle. */
function barsBeside(context, { face, box }, taken, line, longer, style) {
  const row = clamped(longer, style.bars);
  const padding = row * style.bars.padding;
  const [names, track] = [row * style.bars.names, row * style.bars.track];
  const [width, height] = [names + track + 3 * padding, 7 * row + 2 * padding];
  const gap = 2 * line + style.label.gap;
  const top = Math.min(Math.max(box.top, 0), context.canvas.height - height);
  const right = box.left + box.width + gap;
  const left = [right, box.left - gap - width].find((place) => place >= 0 && place + width <= context.canvas.width
    && !taken.some((other) => overlap({ left: place, top, width, height }, other)));
  if (left === undefined) return { left: 0, top: 0, width: 0, height: 0 };
  plate(context, left, top, width, height, padding, style.bars.ground);
  context.font = `${Math.round(row * 0.72)}px ${FONT}`;
  context.textBaseline = "middle";
  emotionsOf(style).forEach((name, index) => {
    const middle = top + padding + (index + 0.5) * row;
    const share = face.probabilities[name];
    context.fillStyle = style.text.light;
    context.fillText(title(name), left + padding, middle);
    plate(context, left + names + 2 * padding, middle - row * 0.2, track, row * 0.4, row * 0.2, style.bars.trough);
    if (share >= 0.005) plate(context, left + names + 2 * padding, middle - row * 0.2, Math.max(track * share, row * 0.4), row * 0.4, row * 0.2, style.colours[name]);
  });
  return { left, top, width, height };
}

const overlap = (a, b) => a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;

/** Describe the faces of an image in words. */
export function describe(faces) {
  if (!faces.length) return "No face in view";
  return faces.map((face) => `Person ${face.id + 1}: ${title(face.emotion)} ${percent(face.confidence)}${face.unsure ? ", unsure" : ""}`).join("; ");
}
