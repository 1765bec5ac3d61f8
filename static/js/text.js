// Page /text: sends its forms in the background (form.js), so that back, forward and reload bring results back. It works without JavaScript.

import { announce, cancel, send, showPage } from "./form.js";
import { restoreResults } from "./history.js";

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".upload-form, .text-samples")) return;
  event.preventDefault();
  send(event.target, new FormData(event.target, event.submitter), "Analyzing the text …", () => {
    announce(document.getElementById("headline").textContent);
  });
});
restoreResults(showPage, cancel);
