// The result of a photo that the browser analyzed: the same elements as templates/_result.html makes of the server's answer. In place of
// what needs the server, occlusion maps and feedback, it says so.

import { CONSTANTS } from "./device/constants.js";
import { element, icon } from "./elements.js";
import { hasServer } from "./site.js";
import { percent, title } from "./style.js";

const MAX_OPEN_FACES = 6; // as in web/pages/base.py
const MIN_BIN_COUNT = 20; // as in web/pages/model_card.py
const { DRAWN } = CONSTANTS["face.classifier"]; // probability from which a face counts as drawn
const REASONS = {
  turned: "the face is turned far to the side, up or down", small: "the face has few pixels", blurred: "the face is blurred",
  covered: "something covers the mouth or the eyes", low_confidence: "no emotion has a high probability",
};

/** The prediction of a face in words; "Unsure" comes first where it is unreliable. */
const prediction = (face, share = true) =>
  face.unsure ? `Unsure, perhaps ${face.emotion}` : `${title(face.emotion)}${share ? `, ${percent(face.confidence)}` : ""}`;

/** Return the headline of a result. */
export function headline({ result, isFaceless }) {
  const { faces } = result;
  if (isFaceless || !faces.length) return "No face found";
  return faces.length === 1 ? prediction(faces[0]) : `${faces.length} faces`;
}

function altText({ result, isFaceless }) {
  const { faces } = result;
  if (result.detector === "none") return `Your photo, analyzed as a single face${isFaceless ? "" : `: ${prediction(faces[0], false)}`}`;
  if (!faces.length) return "Your photo, in which no face was found";
  const named = faces.slice(0, 8).map((face) => prediction(face)).join("; ");
  return `Your photo with ${faces.length} face${faces.length > 1 ? "s" : ""} framed: ${named}${faces.length > 8 ? ` and ${faces.length - 8} more` : ""}`;
}

/** Return [emotion, probability] pairs, the predicted emotion first, then the most probable; equal ones stay in their order. */
const ranked = (face) => {
  const place = (name) => (name === face.emotion ? Infinity : face.probabilities[name]);
  return Object.entries(face.probabilities).sort(([a], [b]) => place(b) - place(a));
};

function bar(name, probability, style, { share, isFirst }) {
  const filled = probability >= 0.005 && element("rect", { width: `${(100 * probability).toFixed(1)}%`, height: "100%", rx: 5, fill: style.colours[name] });
  const svg = element("svg", { class: "bar", "aria-hidden": "true" }, element("rect", { class: "track", width: "100%", height: "100%", rx: 5 }), filled || "");
  return element("tr", { class: isFirst ? "first" : null }, element("th", { scope: "row" }, title(name)),
    element("td", {}, element("div", { class: "bar-cell" }, svg, share ? element("span", { class: "probability" }, percent(probability)) : "")));
}

function bars(face, caption, style, { muted = false, share = true, first = 0, last = 7 } = {}) {
  const rows = ranked(face).slice(first, last).map(([name, probability], index) => bar(name, probability, style, { share, isFirst: !index && !first }));
  const head = ["Emotion", "Probability"].map((text) => element("th", { scope: "col" }, text));
  return element("table", { class: `bars${muted ? " muted" : ""}` }, element("caption", { class: "visually-hidden" }, caption),
    element("colgroup", {}, element("col", { class: "name" }), element("col")),
    element("thead", { class: "visually-hidden" }, element("tr", {}, head)), element("tbody", {}, rows));
}

function headPose({ pose }) {
  const strong = element("strong", {}, "Head:");
  if (!pose) return element("p", { class: "head-pose" }, strong, " the landmarks of this face were not found.");
  const [yaw, pitch, roll] = [pose.yaw, pose.pitch, pose.roll].map(Math.round);
  const parts = [
    yaw && `turned ${Math.abs(yaw)}° to the ${yaw > 0 ? "right" : "left"} of the photo`,
    pitch && `${pitch > 0 ? "raised" : "lowered"} ${Math.abs(pitch)}°`,
    roll && `leaning ${Math.abs(roll)}° ${roll > 0 ? "clockwise" : "counter-clockwise"}`,
  ].filter(Boolean);
  return element("p", { class: "head-pose" }, strong, ` ${parts.join(", ") || "upright, facing the camera"}.`);
}

const whole = (number) => number.toLocaleString("en");
const strongPercent = (share) => element("strong", {}, `${Math.round(100 * share)} %`);

function caveats(face, { reliability, drawn, aboutUrl }) {
  const found = [];
  if (face.unsure) {
    const link = element("a", { href: `${aboutUrl}#unsure` }, "error rates");
    found.push(element("p", { class: "warning" }, icon("warning"), element("span", {}, element("strong", {}, "Unsure:"),
      ` ${REASONS[face.unsure] ?? face.unsure}. Such predictions are wrong much more often than others (`, link, ").")));
  }
  const bin = reliability.find(({ low, high }) => (low <= face.confidence && face.confidence < high) || (high === 1 && face.confidence === 1));
  if (face.drawn !== null && face.drawn >= DRAWN) {
    const note = element("p", { class: "note" }, "This face looks ", element("strong", {}, "drawn"),
      ` (${percent(face.drawn)}): its confidence was calibrated on photographed faces.`);
    if (drawn) note.append(` On ${whole(drawn.count)} drawn faces in styles that were not in the training data, `, strongPercent(drawn.accuracy), " of the predictions were correct.");
    found.push(note);
  } else if (bin && bin.count >= MIN_BIN_COUNT && face.unsure !== "covered") {
    found.push(element("p", { class: "note" }, `Predictions with a confidence of about ${percent(face.confidence)} were correct for `,
      strongPercent(bin.accuracy), ` of ${whole(bin.count)} photographed faces outside the training data.`));
  }
  return found;
}

function faceCard(face, view, style) {
  const { number } = face;
  const name = `Face ${number}: ${prediction(face, false)}`;
  const muted = Boolean(face.unsure);
  const more = element("details", { class: "more" },
    element("summary", {}, "All seven", element("span", { class: "visually-hidden" }, ` emotions of face ${number}`)),
    bars(face, `${name}, the other emotions`, style, { muted, first: 3 }));
  return element("details", { class: "face", id: `face-${number}`, "data-face": number, open: number <= MAX_OPEN_FACES },
    element("summary", {}, element("img", { src: view.thumbnails[number - 1], width: 48, height: 48, alt: "" }), element("h2", {}, `Face ${number}: ${prediction(face)}`)),
    bars(face, `${name}, the three most probable emotions`, style, { muted, last: 3 }), more,
    view.withLandmarks ? headPose(face) : "", caveats(face, view));
}

/** A whole photo read as one face in which none was found: percentages would claim too much. */
function faceless(view, style) {
  const [face] = view.result.faces;
  return [
    element("p", {}, "The whole photo was read as one face, and no face was found in it. If it is one, its expression is closest to ",
      element("strong", {}, face.emotion), "; if it is not, this says nothing."),
    bars(face, "Emotions, most similar first", style, { muted: true, share: false }), view.withLandmarks ? headPose(face) : "",
  ];
}

function downloads(view) {
  const link = (href, name, text) => element("a", { class: "btn btn-outline-secondary", href, download: `${view.stem}-${name}` }, icon("download"), text);
  const picture = view.result.faces.length && !view.isFaceless
    ? [link(view.image, "annotated.jpg", "Download picture"), element("button", { class: "btn btn-outline-secondary", type: "button", id: "copy-picture", hidden: true }, "Copy picture")]
    : [];
  return element("p", { class: "facts" }, picture, link(view.csvLink, "emotions.csv", "CSV"), link(view.jsonLink, "emotions.json", "JSON"));
}

/** Where the server's result has occlusion maps and feedback: why they are missing here. */
function onlyServer() {
  const how = hasServer ? ": turn “On this device” off to use them." : ", which this site does not have.";
  return element("div", { class: "explanation" }, element("p", { class: "note" }, `Occlusion maps and feedback need the server${how}`));
}

/** Boxes over the picture, numbered as the cards, to which they lead; the largest last, and so on top. */
function linkedBoxes({ faces, width, height }) {
  const links = faces.toReversed().map((face) => {
    const { left, top, width: wide, height: high } = face.box;
    const label = `Face ${face.number}: ${prediction(face, false)}`;
    return element("a-svg", { href: `#face-${face.number}`, "data-face": face.number, "aria-label": label },
      element("rect", { x: left, y: top, width: wide, height: high, rx: (wide * 0.06).toFixed(1) }));
  });
  return element("svg", { class: "boxes", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" }, links);
}

function faceParts(view, style) {
  const { faces } = view.result;
  if (faces.length > 1) return faces.map((face) => faceCard(face, view, style));
  const [face] = faces;
  return [bars(face, "Probability of each emotion", style, { muted: Boolean(face.unsure) }), view.withLandmarks ? headPose(face) : "", caveats(face, view)];
}

/**
 * Make the section of a result.
 *
 * `view`: `result` (JSON of POST /api/v1/image), `image` (data URI), `thumbnails` (data URIs), `stem` of downloads, `csvLink`, `jsonLink`,
 * `isFaceless`, `wholeImage` (view of the whole photo as one face, where no face was found), `withLandmarks`, `milliseconds`, and of the
 * model `reliability` (bins) and `drawn` (figures); `aboutUrl`. `form`: goes below the picture.
 */
export function resultSection(view, style, form) {
  const { result, isFaceless, wholeImage } = view;
  const many = result.faces.length > 1;
  const image = element("img", { src: view.image, width: result.width, height: result.height, alt: altText(view) });
  const text = element("div", { class: "result-text" }, element("h1", { id: "headline", tabindex: -1 }, headline(view)));
  if (isFaceless) text.append(...faceless(view, style));
  else if (result.detector === "none") text.append(element("p", { class: "note" }, "The whole photo was analyzed as a single face."));
  if (wholeImage) {
    text.append(element("p", {}, "No face was detected in this photo. Very small, averted or covered faces and unusual drawing styles can be missed."),
      element("details", { class: "whole-image" }, element("summary", { class: "btn btn-outline-secondary" }, "Read the whole photo as one face"),
        faceless(wholeImage, style), downloads(wholeImage)));
  } else if (!isFaceless) {
    text.append(element("div", { class: "faces" }, faceParts(view, style), onlyServer()));
  }
  const note = element("p", { class: "note" }, "This describes the expression, not what the person feels. ",
    element("a", { href: `${view.aboutUrl}#limits` }, "Limits of use"));
  text.append(element("p", { class: "facts timing" }, icon("clock"), `Analyzed in ${Math.round(view.milliseconds)} ms on this device; nothing was sent.`),
    downloads(view), element("p", { class: "model" }, `Model ${result.model.name} ${result.model.version}`), note);
  const figure = element("figure", { class: "photo" }, image, many ? linkedBoxes(result) : "");
  return element("section", { class: `result${many ? " many" : ""}`, id: "result", "aria-labelledby": "headline" },
    element("div", { class: "photo-column" }, figure, form), text);
}
