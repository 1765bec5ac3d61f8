// Dialog that takes a photo with the camera. The photo stays in the browser until the form is sent.

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

async function open(choose) {
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

/** Show the "Take a photo" button where the browser can reach a camera; `choose` gets the snapshot as a File. */
export function prepareCamera(choose) {
  const button = document.getElementById("camera");
  if (!button || !navigator.mediaDevices?.getUserMedia) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await open(choose);
    } catch {
      button.textContent = "No camera, or it was not allowed";
      button.disabled = true;
    }
  });
}
