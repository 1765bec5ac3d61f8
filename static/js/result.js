// Result of a photo: boxes and cards of the same face are marked together, and the picture can be copied.

/** Mark the box and the card of face `number`; null for none. */
function mark(number) {
  for (const element of document.querySelectorAll("[data-face]")) element.classList.toggle("marked", element.dataset.face === number);
}

/** Open the card of a face and bring it into view. */
function open(number, announce) {
  const card = document.getElementById(`face-${number}`);
  card.open = true;
  card.scrollIntoView({ block: "nearest" });
  card.querySelector("summary").focus({ preventScroll: true });
  mark(number);
  announce(card.querySelector("h2").textContent);
}

/** Convert the picture to PNG, the one format that every clipboard takes. */
async function toPng(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function copyPicture(button, announce) {
  const picture = document.querySelector(".photo img");
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": toPng(picture) })]);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copying was not allowed";
  }
  announce(button.textContent);
}

/** Show the buttons of a result that need a script. */
export function prepareResult() {
  const button = document.getElementById("copy-picture");
  if (button && window.ClipboardItem && navigator.clipboard?.write) button.hidden = false;
}

/** Listen to the results that are and will be on the page; `announce(text)` tells screen readers. */
export function listenToResults(announce) {
  for (const [type, leaves] of [["pointerover", false], ["focusin", false], ["pointerout", true]]) {
    document.addEventListener(type, (event) => {
      const face = event.target.closest?.("[data-face]");
      if (face) mark(leaves ? null : face.dataset.face);
    });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".boxes [data-face]");
    if (link) {
      event.preventDefault(); // the address stays that of the result
      open(link.dataset.face, announce);
    }
    if (event.target.id === "copy-picture") copyPicture(event.target, announce);
  });
}
