// Draws faces on a canvas as emotions/face/annotate.py draws them on a photo: frame, landmarks and label by the served style. Only
// the browser draws bars beside a face.

import { emotionsOf, percent, textColour, title } from "./style.js";

export const FONT = '"Segoe UI", -apple-system, Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif';
const MAX_BARS = 3; // faces with bars; more would hide the image
const MAX_HIDDEN = 0.1; // share of a label that may lie over boxes, as in annotate.py
const NUMBER_SHARE = 0.3; // height of a label that is a number alone, as a share of the height of its box, as in annotate.py
const HEAD = { sides: 0.4, top: 0.4, bottom: 0.15 }; // a head beyond the box of its face, in sides of the box

const clamped = (longer, rule) => Math.round(Math.min(Math.max(longer * rule.share, rule.min), rule.max ?? longer));

/**
 * Draw `faces` (as the API returns them, largest first) on `context`, whose canvas shows their image.
 * `scale`: canvas pixels per image pixel. `mirrored`: the image is mirrored, texts are not.
 * `bars`: also draw seven bars beside the largest faces, where they hide no face and no label.
 * Returns the rectangles {left, top, width, height} of the `boxes`, `labels` and `bars` on the canvas.
 */
export function drawFaces(context, faces, style, { scale = 1, mirrored = false, bars = false } = {}) {
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
  const labels = placeLabels(context, placed, line, longer, style);
  for (let index = placed.length - 1; index >= 0; index--) drawLabel(context, labels[index], placed[index].colour, style); // the largest face's on top
  const [boxes, plates] = [placed.map(({ box }) => box), labels.map(({ plate: place }) => place)];
  return { boxes, labels: plates, bars: bars ? drawAllBars(context, placed.slice(0, MAX_BARS), boxes, plates, line, longer, style) : [] };
}

function drawAllBars(context, placed, boxes, labels, line, longer, style) {
  const bars = [];
  const heads = boxes.map(enlarged);
  for (const { face, box } of placed) {
    const place = placeBars(context.canvas, box, [...heads, ...labels, ...bars], line, longer, style);
    if (!place) continue;
    drawBars(context, place, face, longer, style);
    bars.push(place);
  }
  return bars;
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

/**
 * Return the label {text, size, plate} of each face, inside the image and where it hides least, as annotate.py places them; the largest
 * face chooses first. One that would hide another, or lie over faces, is the number of its face alone.
 */
function placeLabels(context, placed, line, longer, style) {
  const size = clamped(longer, style.label);
  const boxes = placed.map(({ box }) => box);
  const several = placed.length > 1;
  const labels = [];
  for (const { face, box } of placed) {
    const number = String(face.number);
    const share = `${Math.round(100 * face.confidence)}%${face.unsure ? style.unsure : ""}`;
    const text = `${several ? `${number} · ` : ""}${title(face.emotion)} ${share}`;
    const taken = labels.map(({ plate: place }) => place);
    let chosen = placeLabel(context, text, size, box, boxes, taken, line, style);
    const hidden = overlap(chosen.plate, boxes) / (chosen.plate.width * chosen.plate.height);
    if (several && (overlap(chosen.plate, taken) || hidden > MAX_HIDDEN)) {
      const small = Math.round(Math.min(size, Math.max(style.label.min, NUMBER_SHARE * box.height)));
      chosen = placeLabel(context, number, small, box, boxes, taken, line, style);
    }
    labels.push(chosen);
  }
  return labels;
}

/** Place a label above `box`, below, beside or inside it: where it hides least of `taken` labels and of all `boxes`. */
function placeLabel(context, text, size, box, boxes, taken, line, style) {
  const { width: wide, height: high } = context.canvas;
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const [padding, gap] = [size * style.label.padding, line + style.label.gap];
  context.font = `${size}px ${FONT}`;
  const [width, height] = [context.measureText(text).width + 2 * padding, size + 2 * padding];
  const [above, below] = [box.top - height - gap, Math.min(bottom + gap, high - height)];
  const rows = above >= 0 ? [above, below] : [below];
  const places = [box.left - line, right + line - width].flatMap((left) => rows.map((top) => [left, top]));
  places.push([right + gap, Math.max(box.top, 0)], [box.left - gap - width, Math.max(box.top, 0)]);
  places.push([box.left + line, Math.max(box.top + line, 0)], [box.left + line, bottom - line - height]);
  const plates = places.map(([left, top]) => ({ left: Math.min(Math.max(left, 0), Math.max(wide - width, 0)), top, width, height }));
  const hides = plates.map((one) => [overlap(one, taken), overlap(one, boxes)]);
  const best = plates.reduce((least, _, index) => {
    const [labels, faces] = [0, 1].map((part) => hides[index][part] - hides[least][part]);
    return labels < 0 || (labels === 0 && faces < 0) ? index : least;
  }, 0);
  return { text, size, plate: plates[best] };
}

function drawLabel(context, { text, size, plate: place }, colour, style) {
  const padding = size * style.label.padding;
  plate(context, place.left, place.top, place.width, place.height, padding, colour);
  context.font = `${size}px ${FONT}`;
  context.fillStyle = textColour(colour, style);
  context.textBaseline = "middle";
  context.fillText(text, place.left + padding, place.top + place.height / 2);
}

/** Return a box with the hair, ears and chin around it. */
const enlarged = ({ left, top, width, height }) => ({ left: left - HEAD.sides * width, top: top - HEAD.top * height,
  width: (1 + 2 * HEAD.sides) * width, height: (1 + HEAD.top + HEAD.bottom) * height });

/** Return the place of seven bars right or left of a head, above or below it, where they hide nothing of `taken`; undefined without one. */
function placeBars(canvas, box, taken, line, longer, style) {
  const row = clamped(longer, style.bars);
  const padding = row * style.bars.padding;
  const [width, height] = [row * (style.bars.names + style.bars.track) + 3 * padding, 7 * row + 2 * padding];
  const gap = 2 * line + style.label.gap;
  const head = enlarged(box);
  const within = (value, size, room) => Math.min(Math.max(value, 0), room - size);
  const tops = [box.top, head.top + head.height - height, head.top + (head.height - height) / 2];
  const places = [head.left + head.width + gap, head.left - gap - width].flatMap((left) => tops.map((top) => [left, within(top, height, canvas.height)]));
  const middle = within(box.left + (box.width - width) / 2, width, canvas.width);
  places.push([middle, head.top + head.height + gap], [middle, head.top - gap - height]);
  return places.map(([left, top]) => ({ left, top, width, height })).find((one) => one.left >= 0 && one.top >= 0
    && one.left + width <= canvas.width && one.top + height <= canvas.height && !overlap(one, taken));
}

function drawBars(context, { left, top, width, height }, face, longer, style) {
  const row = clamped(longer, style.bars);
  const padding = row * style.bars.padding;
  const [names, track] = [row * style.bars.names, row * style.bars.track];
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
}

/** Return the pixels of `area` that `others` cover, those covered twice counted twice. */
function overlap(area, others) {
  const shared = (start, size, other) => Math.max(0, Math.min(area[start] + area[size], other[start] + other[size]) - Math.max(area[start], other[start]));
  return others.reduce((sum, other) => sum + shared("left", "width", other) * shared("top", "height", other), 0);
}

/** Describe the faces of an image in words. */
export function describe(faces) {
  if (!faces.length) return "No face in view";
  return faces.map((face) => `Person ${face.number}: ${title(face.emotion)} ${percent(face.confidence)}${face.unsure ? ", unsure" : ""}`).join("; ");
}
