// Dialog that takes a photo with the camera, loaded when it is first opened. The photo stays in the browser until the form is sent.

const MARKUP = `
  <video playsinline muted autoplay aria-label="Camera picture"></video>
  <div class="actions">
    <button class="btn btn-primary" type="button" value="shoot">Take the photo</button>
    <button class="btn btn-outline-secondary" type="button" value="cancel">Cancel</button>
  </div>`;

function snapshot(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

let isOpen = false; // or about to be

/** Open the dialog; `choose` gets the photo as a File. Throws an error where there is no camera, or it is not allowed. */
export async function openCamera(choose) {
  if (isOpen) return;
  isOpen = true;
  try {
    await open(choose, () => { isOpen = false; });
  } catch (error) {
    isOpen = false;
    throw error;
  }
}

async function open(choose, onClose) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
  const dialog = document.createElement("dialog");
  dialog.className = "camera";
  dialog.setAttribute("aria-label", "Take a photo");
  dialog.innerHTML = MARKUP;
  const video = dialog.querySelector("video");
  video.srcObject = stream;
  dialog.addEventListener("close", () => {
    stream.getTracks().forEach((track) => track.stop()); // turns the camera off
    dialog.remove();
    onClose();
  });
  dialog.addEventListener("click", async (event) => {
    const action = event.target.closest("button")?.value;
    if (action === "shoot") {
      if (!video.videoWidth) return; // no frame yet
      choose(new File([await snapshot(video)], "snapshot.jpg", { type: "image/jpeg" }));
    }
    if (action) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}
