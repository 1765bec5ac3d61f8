"""Standard metrics of multi-object tracking, computed by TrackEval: HOTA, MOTA, IDF1.

TrackEval is part of the requirements of the benchmarks (.venv-bench); of its dependencies only NumPy and SciPy are needed. The
alternative, py-motmetrics 1.4.0, calls `numpy.asfarray`, which NumPy 2 removed, and has no HOTA.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emotions.face.results import Box

from .synthetic_video import overlap

HOTA_FIELDS = {"hota": "HOTA", "deta": "DetA", "assa": "AssA"}
"""Attribute of TrackingMetrics -> name in TrackEval."""


@dataclass(frozen=True)
class TrackedFrame:
    """A frame: the true box of each person that is in it, and the box of each track."""

    truth: dict[int, Box]
    tracks: dict[int, Box]


@dataclass(frozen=True)
class TrackingMetrics:
    """Metrics over all frames of several sequences, 0 to 1 (MOTA may be negative), and the number of ID switches.

    Attributes:
        hota: Higher order tracking accuracy, mean over the thresholds of IoU from 0.05 to 0.95 (Luiten et al., 2021).
        deta: Its detection accuracy.
        assa: Its association accuracy.
        mota: Multiple object tracking accuracy at an IoU of 0.5 (CLEAR MOT: Bernardin and Stiefelhagen, 2008).
        idf1: F1 of the identities at an IoU of 0.5 (Ristani et al., 2016).
        id_switches: ID switches of CLEAR MOT.
    """

    hota: float
    deta: float
    assa: float
    mota: float
    idf1: float
    id_switches: int


def tracking_metrics(sequences: Sequence[Sequence[TrackedFrame]]) -> TrackingMetrics:
    """Compute the metrics of sequences, each with people and tracks of its own.

    Raises:
        ImportError: TrackEval is not installed.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it reports which readers of benchmarks it lacks
        from trackeval.metrics import CLEAR, HOTA, Identity

        metrics = {metric: metric({"PRINT_CONFIG": False} if metric is not HOTA else None) for metric in (HOTA, CLEAR, Identity)}
    arrays = [_arrays(frames) for frames in sequences]
    combined = {}
    for kind, metric in metrics.items():
        results = {str(number): metric.eval_sequence(data) for number, data in enumerate(arrays)}
        combined[kind] = metric.combine_sequences(results)
    hota, clear, identity = combined[HOTA], combined[CLEAR], combined[Identity]
    over_thresholds = {attribute: float(np.mean(hota[name])) for attribute, name in HOTA_FIELDS.items()}
    return TrackingMetrics(
        **over_thresholds, mota=float(clear["MOTA"]), idf1=float(identity["IDF1"]), id_switches=int(clear["IDSW"])
    )


def _arrays(frames: Sequence[TrackedFrame]) -> dict[str, Any]:
    """Return a sequence in the form that TrackEval expects, with ids counted from 0."""
    people = sorted({person for frame in frames for person in frame.truth})
    tracks = sorted({track for frame in frames for track in frame.tracks})
    similarity = [
        np.array([[overlap(box, other) for other in frame.tracks.values()] for box in frame.truth.values()]).reshape(
            len(frame.truth), len(frame.tracks)
        )
        for frame in frames
    ]
    return {
        "gt_ids": [np.array([people.index(person) for person in frame.truth], int) for frame in frames],
        "tracker_ids": [np.array([tracks.index(track) for track in frame.tracks], int) for frame in frames],
        "similarity_scores": similarity,
        "num_gt_ids": len(people),
        "num_tracker_ids": len(tracks),
        "num_gt_dets": sum(len(frame.truth) for frame in frames),
        "num_tracker_dets": sum(len(frame.tracks) for frame in frames),
        "num_timesteps": len(frames),
    }
