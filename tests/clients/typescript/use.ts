// Calls every operation with the generated client, and writes what it was answered as JSON.

import {
  Configuration, Detector, EmotionsApi, ImagesLineFromJSON, OperationApi, ResponseError, VideoLineFromJSON,
} from "./client/index.js";
import { openAsBlob } from "node:fs";

declare const process: { env: Record<string, string>; stdout: { write(text: string): void } };

const configuration = new Configuration({ basePath: process.env.SERVER });
const emotions = new EmotionsApi(configuration), operation = new OperationApi(configuration);
const sample = async (name: string, type: string) => openAsBlob(`${process.env.SAMPLES}/${name}`, { type });
const linesOf = async (response: Response) => (await response.text()).trim().split("\n").map((line) => JSON.parse(line));

const portrait = await sample("obama.jpg", "image/jpeg");
const image = await emotions.readImage({ file: portrait, detector: Detector.Blazeface, landmarks: true, time: 1.5, tracks: "" });
const drawing = await sample("friends.png", "image/png");
const images = (await linesOf((await emotions.readImagesRaw({ file: [portrait, drawing] })).raw)).map(ImagesLineFromJSON);
const video = await emotions.readVideoRaw({ file: await sample("video.mp4", "video/mp4"), fps: 2 });
const frames = (await linesOf(video.raw)).map(VideoLineFromJSON);
const text = await emotions.readText({ textRequest: { text: ["I love it, thank you so much!", "What a sad day."] } });
const speech = await emotions.readSpeech({ file: await sample("speech.flac", "audio/flac") });
const feedback = { shown: "happy", said: "sad", confidence: 0.9, model: "vgg16/mixed 1.0.0" } as const;
const sent = await emotions.sendFeedbackRaw({ feedback });

const words = new Blob(["words"], { type: "image/jpeg" });
const problem = await emotions.readImage({ file: words }).then(() => null, (error: ResponseError) => error.response.json());
if (problem?.code !== "not_an_image") throw new Error(`not the problem of words: ${JSON.stringify(problem)}`);

process.stdout.write(JSON.stringify({
  readImage: { emotion: image.faces[0].emotion, landmarks: image.faces[0].landmarks?.length, tracks: image.tracks !== undefined },
  readImages: images.filter((line) => line.result?.faces.length).map((line) => line.index),
  readVideo: { lines: frames.length, frames: frames.at(-1)?.summary?.frames },
  readText: text.results.map((result) => result.emotion),
  readSpeech: speech.segments.length,
  sendFeedback: sent.raw.status,
  listModels: (await emotions.listModels()).models.length,
  getStyle: (await emotions.getStyle()).colours.happy,
  getHealth: (await operation.getHealth()).status,
}));
