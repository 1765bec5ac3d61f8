// Choosing a picture: from the file dialog, by dropping, by pasting, from the camera. All end in the form's own file input, so
// that the form sends the same with and without these roads.

let shown = null;

/** Show the chosen file before it is sent; a browser that cannot show its format (HEIC, mostly) shows the name alone. */
function preview(file) {
  const image = document.getElementById("preview");
  const empty = document.querySelector(".drop-empty");
  if (shown) URL.revokeObjectURL(shown);
  shown = file ? URL.createObjectURL(file) : null;
  image.hidden = true;
  empty.hidden = false;
  if (!shown) return image.removeAttribute("src");
  image.onload = () => {
    image.hidden = false;
    empty.hidden = true;
  };
  image.src = shown;
}

/** Put `file` into the form, as if it had been chosen there. */
export function choosePicture(file) {
  const input = document.getElementById("file");
  const list = new DataTransfer();
  list.items.add(file);
  input.files = list.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function pictureIn(list) {
  return [...list].find((file) => file.type.startsWith("image/") || /\.(heic|heif|avif)$/i.test(file.name));
}

/** Listen for pictures dropped, pasted or chosen anywhere on the page; `say` speaks to screen readers. */
export function acceptPictures(say) {
  const highlight = (on) => document.getElementById("drop")?.classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files") || !document.getElementById("drop")) return;
    event.preventDefault();
    highlight(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) highlight(false);
  });
  const take = (event, list) => {
    const file = pictureIn(list);
    highlight(false);
    if (!file || !document.getElementById("file")) return;
    event.preventDefault();
    choosePicture(file);
    document.querySelector("#reader [type=submit]").focus();
  };
  document.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length) event.preventDefault(); // a picture missed must not replace the page
    take(event, event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event, event.clipboardData.files));
  document.addEventListener("change", (event) => {
    if (event.target.id !== "file") return;
    const file = event.target.files[0];
    document.querySelector("#reader > .problem")?.remove();
    preview(file);
    say(file ? `${file.name} chosen` : "No photo chosen");
  });
}
