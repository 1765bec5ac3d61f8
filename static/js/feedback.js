// Feedback form: its fields are sent to the API, so that the result stays on the page.

import { apiHeaders } from "./api-token.js";

const ENDPOINT = "/api/v1/feedback";

export async function sendFeedback(form, button, announce) {
  const fields = Object.fromEntries(new FormData(form, button));
  const body = JSON.stringify({ ...fields, confidence: Number(fields.confidence) });
  const note = document.createElement("p");
  note.className = "note";
  try {
    const headers = { "Content-Type": "application/json", ...apiHeaders() };
    const response = await fetch(ENDPOINT, { method: "POST", body, headers });
    if (!response.ok && response.status !== 409) throw new Error(response.status); // 409: sent before, as from a page of the history
    note.textContent = "Thank you. One line was logged, without the photo.";
    form.replaceChildren(note);
  } catch {
    note.textContent = "Sending failed; try again later.";
    form.querySelector(".note")?.remove();
    form.append(note);
  }
  note.tabIndex = -1;
  note.focus();
  announce(note.textContent);
}
