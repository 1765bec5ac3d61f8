// Choosing a photo: file dialog, drag and drop, paste, camera. All of them fill the file input of the form.

const SUFFIXES = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|heic|heif|hif|avif)$/i;

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

/** Put `file` into the file input without telling anybody: the page has its result already. */
export function keepPhoto(file) {
  const list = new DataTransfer();
  list.items.add(file);
  document.getElementById("file").files = list.files;
}

/** Put `file` into the file input, as if it had been chosen in the dialog. */
export function choosePhoto(file) {
  keepPhoto(file);
  document.getElementById("file").dispatchEvent(new Event("change", { bubbles: true }));
}

/** Return true for what may be a photo: by its type, or by its name where the browser does not know the type. */
const isPhoto = (file) => file.type.startsWith("image/") || SUFFIXES.test(file.name) || (!file.type && !file.name.includes("."));

/** Accept photos that are dropped, pasted or chosen anywhere on the page; `onChosen(file)` and `onRefused(file)` are called. */
export function acceptPhotos(onChosen, onRefused) {
  const highlight = (on) => document.getElementById("drop")?.classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files") || !document.getElementById("drop")) return;
    event.preventDefault();
    highlight(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) highlight(false);
  });
  const take = (event, files) => {
    highlight(false);
    if (!files.length || !document.getElementById("file")) return;
    event.preventDefault();
    const photo = [...files].find(isPhoto);
    if (photo) choosePhoto(photo);
    else onRefused(files[0]);
  };
  document.addEventListener("drop", (event) => {
    if (!document.getElementById("drop")) return; // inputs of other pages take what is dropped on them
    if (event.dataTransfer.files.length) event.preventDefault(); // a file dropped elsewhere must not replace the page
    take(event, event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event, event.clipboardData.files));
  document.addEventListener("change", (event) => {
    if (event.target.id !== "file") return;
    const file = event.target.files[0] ?? null;
    preview(file);
    if (file) onChosen(file);
  });
}
