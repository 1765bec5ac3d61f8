"""Analyze an hour of video by the command line within a memory limit; report time and memory.

    python -m scripts.bench.long_video                               60 minutes at one frame per second within 384 MB; needs root
    python -m scripts.bench.long_video --minutes 10 --annotate       and write the annotated video as well

The video is generated: one minute of 640 x 480 pixels at 25 frames per second, in which the camera moves over sample photos, is
repeated. The peak of the control group includes reclaimable file cache.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from ..deploy.sandbox import ControlGroup, resident_bytes

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ("obama.jpg", "collins.jpg", "friends.png", "angry.png")
SIZE, RATE, MINUTE = (640, 480), 25, 60
MEGABYTE = 2**20


def encode_minute() -> bytes:
    """Encode one minute of MP4, in which the camera moves over each photo in turn."""
    buffer, each = BytesIO(), MINUTE * RATE // len(SAMPLES)
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height = SIZE
        for name in SAMPLES:
            with Image.open(ROOT / "static" / "samples" / name) as image:
                photo = image.convert("RGB")
            for index in range(each):
                margin = 0.12 * (1 - np.cos(2 * np.pi * index / each)) / 2
                left, top = margin * photo.width, margin * photo.height
                window = photo.resize(SIZE, Image.Resampling.BILINEAR, (left, top, photo.width - left, photo.height - top))
                output.mux(stream.encode(av.VideoFrame.from_image(window)))
        output.mux(stream.encode())
    return buffer.getvalue()


def write_video(path: Path, minutes: int) -> None:
    """Write `minutes` copies of that minute without encoding it again."""
    with av.open(BytesIO(encode_minute()), "r") as source, av.open(str(path), "w", format="mp4") as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        step = int(MINUTE / Fraction(stream.time_base or 1))
        stamps = [(packet.pts or 0, packet.dts or 0) for packet in packets]
        for repeat in range(minutes):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                packet.stream, packet.time_base = copy, Fraction(stream.time_base or 1)
                packet.pts, packet.dts = pts + repeat * step, dts + repeat * step
                output.mux(packet)


def measure(minutes: int, fps: float, memory: int, annotate: bool) -> dict[str, Any]:
    """Analyze such a video within `memory` bytes; returns exit status, time and memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        path, out = Path(name, "video.mp4"), Path(name, "out")
        write_video(path, minutes)
        command = [sys.executable, "-m", "emotions", "video", str(path), "--fps", str(fps), "--format", "jsonl"]
        command += ["--annotate", str(out)] if annotate else []
        started, resident, rows, last = time.perf_counter(), {}, 0, None
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with ControlGroup(memory, 64.0) as group:
            with subprocess.Popen(command, cwd=ROOT, preexec_fn=group.enter, **pipes) as process:
                for line in process.stdout or ():
                    last = json.loads(line)
                    rows += "faces" in last
                    if rows and last.get("time", 1) % (minutes * MINUTE // 4) < 1e-3:
                        resident[round(last["time"] / MINUTE, 1)] = resident_bytes(process.pid)
            return {
                "exit": process.returncode, "rows": rows, "seconds": time.perf_counter() - started, "resident": resident,
                "video_bytes": path.stat().st_size, "peak_bytes": group.peak_bytes, "oom_kills": group.oom_kills,
                "summary": last and last.get("summary"), "annotated_bytes": sum(one.stat().st_size for one in out.glob("*.mp4")),
            }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60, help="length of the video (default 60)")
    parser.add_argument("--fps", type=float, default=1.0, help="frames per second to analyze (default 1)")
    parser.add_argument("--memory", type=int, default=384, help="memory limit of the command in MB (default 384)")
    parser.add_argument("--annotate", action="store_true", help="write the annotated video as well")
    options = parser.parse_args()
    result = measure(options.minutes, options.fps, options.memory * MEGABYTE, options.annotate)
    summary = result["summary"]
    print(f"video     {options.minutes} minutes, {result['video_bytes'] / MEGABYTE:.0f} MB")
    ended = f"exit code {result['exit']}, out-of-memory kills: {result['oom_kills']}"
    print(f"analyzed  {result['rows']} frames in {result['seconds']:.0f} s, {ended}")
    sizes = [f"{size / MEGABYTE:.0f} MB at minute {minute:g}" for minute, size in result["resident"].items()]
    print("resident  " + ", ".join(sizes))
    print(f"peak      {result['peak_bytes'] / MEGABYTE:.0f} MB of {options.memory} MB, including file cache")
    if summary:
        print(f"summary   {summary['duration']:.1f} s, {len(summary['people'])} people, partial: {summary['partial']}")
    if result["annotated_bytes"]:
        print(f"annotated {result['annotated_bytes'] / MEGABYTE:.0f} MB")
    return 0 if result["exit"] == 0 and not result["oom_kills"] else 1


if __name__ == "__main__":
    sys.exit(main())
