// Table of the summary: for each person the share of frames, or of time where the server counted it, for which each emotion was predicted.

import { emotionsOf, formatTime, percent, title } from "./style.js";

/** Fill `body` (a <tbody>) with a row for each person of the summary. */
export function fillSummary(body, people, style) {
  const emotions = emotionsOf(style);
  body.replaceChildren(...people.map((person) => {
    const row = document.createElement("tr");
    const maximum = Math.max(...Object.values(person.shares));
    row.append(cell("th", `Person ${person.number}`), cell("td", `${formatTime(person.first)} to ${formatTime(person.last)}`), cell("td", String(person.frames), "number"));
    row.firstChild.scope = "row";
    for (const name of emotions) {
      const share = cell("td", percent(person.shares[name]), "number");
      if (person.shares[name] === maximum) share.classList.add("maximum");
      row.append(share);
    }
    return row;
  }));
}

/** Describe the summary in words. */
export function describeSummary(people) {
  if (!people.length) return "No face was detected.";
  const dominant = (person) => Object.entries(person.shares).reduce((best, next) => (next[1] > best[1] ? next : best));
  const whole = ({ seconds, frames }) => (seconds === undefined ? `${frames} frames` : formatTime(seconds));
  return people.map((person) => `Person ${person.number}: ${title(dominant(person)[0])} in ${percent(dominant(person)[1])} of ${whole(person)}`).join(". ") + ".";
}

function cell(kind, text, name = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}
