// Choosing a photo: file dialog, drag and drop, paste, camera. All of them fill the file input of the form.

let previewUrl = null;

/** Preview the chosen file; a browser that cannot show its format (mostly HEIC) shows the name only. */
function preview(file) {
  const image = document.getElementById("preview");
  const empty = document.querySelector(".drop-empty");
  if (previewUrl) URL.revokeObjectURL(previewUrl);
  previewUrl = file ? URL.createObjectURL(file) : null;
  image.hidden = true;
  empty.hidden = false;
  if (!previewUrl) return image.removeAttribute("src");
  image.onload = () => {
    image.hidden = false;
    empty.hidden = true;
  };
  image.src = previewUrl;
}

/** Put `file` into the file input. */
export function choosePhoto(file) {
  const input = document.getElementById("file");
  const list = new DataTransfer();
  list.items.add(file);
  input.files = list.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function findPhoto(list) {
  return [...list].find((file) => file.type.startsWith("image/") || /\.(heic|heif|avif)$/i.test(file.name));
}

/** Accept photos that are dropped, pasted or chosen anywhere on the page. */
export function acceptPhotos(announce) {
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
    const file = findPhoto(list);
    highlight(false);
    if (!file || !document.getElementById("file")) return;
    event.preventDefault();
    choosePhoto(file);
    document.querySelector("#photo-form [type=submit]").focus();
  };
  document.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length) event.preventDefault(); // a file dropped elsewhere must not replace the page
    take(event, event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event, event.clipboardData.files));
  document.addEventListener("change", (event) => {
    if (event.target.id !== "file") return;
    const file = event.target.files[0];
    document.querySelector("#photo-form > .problem")?.remove();
    preview(file);
    announce(file ? `${file.name} chosen` : "No photo chosen");
  });
}
