// The one look of annotated pictures, as emotions/face/annotate.py has it and the API serves it, and how numbers are written.

const ADDRESS = "/api/v1/style";
const TOP = "neutral"; // in a chart the calm face lies on top, so that what moves rises from below

let table = null;

/** The table of colours, widths and label layout; asked for once. */
export function loadStyle() {
  table ??= fetch(ADDRESS).then((response) => {
    if (!response.ok) throw new Error(`style: ${response.status}`);
    return response.json();
  });
  table.catch(() => { table = null; }); // a later call asks again
  return table;
}

export const emotionsOf = (style) => Object.keys(style.colours);
export const stackOf = (style) => [...emotionsOf(style).filter((name) => name !== TOP), TOP];
export const title = (name) => (name ? name[0].toUpperCase() + name.slice(1) : "Unknown");
export const percent = (share) => `${Math.round(100 * share)} %`; // a narrow space that does not break

/** Seconds as 1:05, or 1:01:05 from an hour on. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** Dark or light text, whichever contrasts more with `background` (#rrggbb), as drawing.text_colour chooses. */
export function textColour(background, style) {
  const channels = [1, 3, 5].map((start) => parseInt(background.slice(start, start + 2), 16) / 255);
  const [red, green, blue] = channels.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return style.text[(luminance + 0.05) ** 2 > 0.05 * 1.05 ? "dark" : "light"];
}
