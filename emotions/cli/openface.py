"""Rows of videos with the column names of OpenFace 2.0 (Baltrušaitis et al., 2018), for tools that read its CSV files.

A column has the name that OpenFace gives to the same thing, with its unit: `frame` counts from 1, angles are radians. There are
no action units, gaze directions and positions in millimeters: this package does not measure them.
"""

from __future__ import annotations

from math import asin, atan2, cos, radians, sin
from typing import Any

from ..face.pose import Pose
from ..face.results import Face
from ..labels import EMOTIONS
from ..video.analyzer import FrameResult
from .output import Row

COLUMNS = (
    "frame", "face_id", "timestamp", "confidence", "success", "pose_Rx", "pose_Ry", "pose_Rz", "left", "top", "width", "height",
    "emotion", "emotion_confidence", *EMOTIONS, "unsure", "file", "error", "message",
)  # fmt: skip
"""Columns of the CSV: first those of OpenFace, then those that it does not have."""


def rows(name: str, frame: FrameResult) -> list[Row]:
    """Return a row of COLUMNS for each face of a frame; one with `success` 0 if there is none."""
    common: dict[str, Any] = {"frame": frame.number + 1, "timestamp": round(frame.time, 3), "file": name}
    found: list[Row] = [common | _face(face) for face in frame.result.faces]
    return found or [common | {"face_id": 0, "confidence": 0.0, "success": 0}]


def _face(face: Face) -> dict[str, Any]:
    body = face.to_json()
    pose = {} if face.pose is None else dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), rotations(face.pose), strict=True))
    return {
        **body["box"],
        **body["probabilities"],
        **{axis: round(angle, 4) for axis, angle in pose.items()},
        "face_id": face.id,
        "confidence": body["score"],  # of the detector; OpenFace's is that of its landmarks
        "success": 1,
        "emotion": face.emotion,
        "emotion_confidence": body["confidence"],
        "unsure": face.unsure,
    }


def rotations(pose: Pose) -> tuple[float, float, float]:
    """Return a head pose as OpenFace does: radians around x, y and z of R = Rx Ry Rz.

    The axes are those of the camera: x to the right of the image, y down, z away from the camera. A face that is turned down, to
    the left of the image, or tilted clockwise has a positive angle. `Pose` is of the order Rz Ry Rx.
    """
    pitch, yaw, roll = -radians(pose.pitch), -radians(pose.yaw), radians(pose.roll)
    first = cos(roll) * cos(yaw), cos(roll) * sin(yaw) * sin(pitch) - sin(roll) * cos(pitch)  # the first row of R ...
    third = cos(roll) * sin(yaw) * cos(pitch) + sin(roll) * sin(pitch)
    second = sin(roll) * sin(yaw) * cos(pitch) - cos(roll) * sin(pitch)  # ... and its third column
    return atan2(-second, cos(yaw) * cos(pitch)), asin(max(-1.0, min(1.0, third))), atan2(-first[1], first[0])
