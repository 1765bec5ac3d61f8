// Recording from the microphone in a format that the browser supports (WebM with Opus, MP4 with AAC), with a level meter.

const TYPES = ["audio/webm;codecs=opus", "audio/webm", "audio/mp4", "audio/ogg;codecs=opus"];

/** Level 0..1 of the latest samples of an AnalyserNode; 0 is -60 dBFS. */
function level(analyser, samples) {
  analyser.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  return Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 6));
}

/**
 * Request the microphone and start recording. `stop()` of the returned object resolves to a File. `onTime(seconds, level)` is called
 * ten times per second. Throws the errors of getUserMedia.
 */
export async function startRecording(onTime) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one)) ?? "";
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const chunks = [];
  recorder.addEventListener("dataavailable", (event) => chunks.push(event.data));
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const start = performance.now();
  const timer = setInterval(() => onTime((performance.now() - start) / 1000, level(analyser, samples)), 100);
  recorder.start(1000);
  return {
    stop: () =>
      new Promise((resolve) => {
        clearInterval(timer);
        recorder.addEventListener("stop", () => {
          stream.getTracks().forEach((track) => track.stop());
          context.close();
          const mimeType = recorder.mimeType || "audio/webm";
          resolve(new File(chunks, mimeType.includes("mp4") ? "voice.m4a" : "voice.webm", { type: mimeType }));
        });
        recorder.stop();
      }),
  };
}
