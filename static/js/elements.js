// Elements of results that the browser makes itself. They look as those of templates/_result.html.

const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "rect", "path", "circle", "a-svg"]);
const ICONS = {
  download: [["path", { d: "M12 4v11M7 11l5 5 5-5M5 20h14" }]],
  clock: [["circle", { cx: 12, cy: 12, r: 8.5 }], ["path", { d: "M12 7v5l3.5 2" }]],
  warning: [["path", { d: "M12 4L2.5 20h19zM12 10v5M12 17.5v.5" }]],
};

/** Make an element with attributes (those that are null or false are left out, true is empty) and children (elements or texts). */
export function element(name, attributes = {}, ...children) {
  const made = SVG_NAMES.has(name) ? document.createElementNS(SVG, name.replace("-svg", "")) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== ""));
  return made;
}

/** Make an icon of templates/_icons.html. */
export function icon(name) {
  const shapes = ICONS[name].map(([shape, attributes]) => element(shape, attributes));
  return element("svg", { class: "icon", viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": 1.8,
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }, shapes);
}
