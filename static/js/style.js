// Style of annotated images, as served by the API from emotions/face/annotate.py, and formats of numbers.

import { apiHeaders } from "./api-token.js";
import { hasServer } from "./site.js";

const ENDPOINT = hasServer ? "/api/v1/style" : "style.json";

let request = null;

/** Load the colours, line widths and label layout; requested once. */
export function loadStyle() {
  request ??= fetch(ENDPOINT, { headers: apiHeaders() }).then((response) => {
    if (!response.ok) throw new Error(`style: ${response.status}`);
    return response.json();
  });
  request.catch(() => { request = null; }); // a later call tries again
  return request;
}

export const emotionsOf = (style) => Object.keys(style.colours);
export const title = (name) => (name ? name[0].toUpperCase() + name.slice(1) : "Unknown");
export const percent = (probability) => `${Math.round(100 * probability)} %`; // narrow no-break space

/** Format seconds as 1:05, or 1:01:05 from an hour on. */
export function formatTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** Dark or light text, whichever contrasts more with `background` (#rrggbb), as annotate.text_colour chooses. */
export function textColour(background, style) {
  const channels = [1, 3, 5].map((start) => parseInt(background.slice(start, start + 2), 16) / 255);
  const [red, green, blue] = channels.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return style.text[(luminance + 0.05) ** 2 > 0.05 * 1.05 ? "dark" : "light"];
}
