"""The annotated video of the real server plays in a browser."""

from __future__ import annotations

import base64

from tests import clips

PLAY = """async (video64) => {
    const answer = await fetch('/api/v1/video?annotated=mp4&fps=2', {method: 'POST', headers: {'Content-Type': 'video/mp4'},
        body: Uint8Array.from(atob(video64), letter => letter.charCodeAt(0))});
    const video = document.createElement('video');
    video.muted = true;
    video.src = URL.createObjectURL(await answer.blob());
    document.body.append(video);
    await new Promise((done, failed) => {
        video.onended = done;
        video.onerror = () => failed(video.error.message);
        video.play();
    });
    return [video.videoWidth, video.videoHeight, video.duration];
}"""


def test_plays_to_its_end_and_upright(visit):
    on_its_side = clips.clip(
        [(time, image[:, ::-1].swapaxes(0, 1)[:, ::-1]) for time, image in clips.still_frames(10)], rotation=90
    )
    width, height, seconds = visit("/about").evaluate(PLAY, base64.b64encode(on_its_side).decode())
    assert (width, height) == (320, 240) and 0.85 < seconds < 1.15
