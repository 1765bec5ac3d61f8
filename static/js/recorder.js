// The microphone: a recording in whatever format the browser makes (WebM with Opus, MP4 with AAC), and its loudness meanwhile.

const TYPES = ["audio/webm;codecs=opus", "audio/webm", "audio/mp4", "audio/ogg;codecs=opus"];

/** Loudness 0..1 of an analyser's last samples: 0 is 60 dB below full scale. */
function loudness(analyser, samples) {
  analyser.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  return Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 6));
}

/**
 * Ask for the microphone and record until `stop()` of what is returned, which gives a File. `onTime(seconds, loudness)` is called
 * ten times a second. Throws what getUserMedia throws.
 */
export async function startRecording(onTime) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one)) ?? "";
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const begun = performance.now();
  const timer = setInterval(() => onTime((performance.now() - begun) / 1000, loudness(analyser, samples)), 100);
  recorder.start(1000);
  return {
    stop: () =>
      new Promise((done) => {
        clearInterval(timer);
        recorder.addEventListener("stop", () => {
          stream.getTracks().forEach((track) => track.stop());
          context.close();
          const kind = recorder.mimeType || "audio/webm";
          done(new File(pieces, kind.includes("mp4") ? "voice.m4a" : "voice.webm", { type: kind }));
        });
        recorder.stop();
      }),
  };
}
