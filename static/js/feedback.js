// "Was this right?": the same fields as the form would send, posted to the API so that the result stays on the page.

const ADDRESS = "/api/v1/feedback";

export async function sendFeedback(form, button, say) {
  const fields = Object.fromEntries(new FormData(form, button));
  const body = JSON.stringify({ ...fields, confidence: Number(fields.confidence) });
  const note = document.createElement("p");
  note.className = "note";
  try {
    const response = await fetch(ADDRESS, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    if (!response.ok) throw new Error(response.status);
    note.textContent = "Thank you. One line was written down, without the picture.";
    form.replaceChildren(note);
  } catch {
    note.textContent = "That could not be sent; try again later.";
    form.querySelector(".note")?.remove();
    form.append(note);
  }
  note.tabIndex = -1;
  note.focus();
  say(note.textContent);
}
