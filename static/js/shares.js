// The table at the end: for each person how often each emotion was the answer.

import { clock, emotionsOf, percent, title } from "./look.js";

/** Fill `body` (a <tbody>) with a row for each of the summary's people. */
export function fillShares(body, people, style) {
  const emotions = emotionsOf(style);
  body.replaceChildren(...people.map((person) => {
    const row = document.createElement("tr");
    const most = Math.max(...Object.values(person.shares));
    row.append(cell("th", `Person ${person.id + 1}`), cell("td", `${clock(person.first)} to ${clock(person.last)}`), cell("td", String(person.frames), "number"));
    row.firstChild.scope = "row";
    for (const name of emotions) {
      const share = cell("td", percent(person.shares[name]), "number");
      if (person.shares[name] === most) share.classList.add("most");
      row.append(share);
    }
    return row;
  }));
}

/** The same in a sentence. */
export function tellShares(people) {
  if (!people.length) return "No face was found.";
  const mostly = (person) => Object.entries(person.shares).reduce((best, next) => (next[1] > best[1] ? next : best));
  return people.map((person) => `Person ${person.id + 1}: ${title(mostly(person)[0])} in ${percent(mostly(person)[1])} of ${person.frames} frames`).join(". ") + ".";
}

function cell(kind, text, name = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}
