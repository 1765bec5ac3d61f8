"""Accuracy and balanced recall of networks on packed faces, as they lie and as serving aligns them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from .augment import warp
from .data import CLASSES, PackedFaces
from .networks import ExpressionNet

MAJORITY = 0.501
"""Share of all raters above which one emotion has the majority; votes are stored as float16."""


@torch.no_grad()
def predict(nets: Sequence[ExpressionNet], faces: PackedFaces, rows: torch.Tensor, aligned=False, mirrored=False) -> torch.Tensor:
    """Mean probabilities (N, 2, 7) of some networks, of labels and votes; with `mirrored` the mean over both mirror images."""
    parts = []
    for some in rows.split(1024):
        x = faces.pixels[some][:, None].float()
        x = warp(x, faces.theta[some]) if aligned else x
        views = (x, x.flip(3)) if mirrored else (x,)
        outputs = [F.softmax(net(view).view(-1, 2, CLASSES), dim=2) for view in views for net in nets]
        parts.append(torch.stack(outputs).mean(dim=0))
    return torch.cat(parts) if parts else torch.zeros(0, 2, CLASSES, device=rows.device)


def balanced_recall(predicted: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean recall of the classes that occur, in percent."""
    recalls = [(predicted[labels == k] == k).float().mean() for k in range(CLASSES) if (labels == k).any()]
    return round(100 * float(torch.stack(recalls).mean()), 2)


def measure(nets: Sequence[ExpressionNet], faces: PackedFaces, split: str) -> dict[str, float]:
    """Percentages by name: `label`, `votes` (accuracy) and balanced `recall` of the first table, plain or aligned, `+`: mirrored.

    `table K` and `recall K` are those of the labels of a further table.
    """
    rows, found = faces.rows(split, table=0), {}
    labels, votes = faces.labels[rows], faces.votes[rows]
    known, majority = labels >= 0, votes.amax(dim=1) > MAJORITY
    for aligned in (False, True):
        for mirrored in (False, True):
            predicted = predict(nets, faces, rows, aligned, mirrored).argmax(dim=2)
            name = ("aligned" if aligned else "plain") + "+" * mirrored
            if known.any():
                found[f"label {name}"] = _percent((predicted[:, 0] == labels)[known])
                found[f"recall {name}"] = balanced_recall(predicted[known, 0], labels[known])
            if majority.any():
                found[f"votes {name}"] = _percent((predicted[:, 1] == votes.argmax(dim=1))[majority])
            if name == "plain" and (rated := votes.sum(dim=1) > 0).any():  # as history.csv of scripts.train.base counts
                found["votes all"] = _percent((predicted[:, 1] == votes.argmax(dim=1))[rated])
    for table in range(1, int(faces.tables.max(initial=0)) + 1):
        if len(rows := faces.rows(split, table)):
            predicted = predict(nets, faces, rows)[:, 0].argmax(dim=1)
            found[f"table {table}"] = _percent(predicted == faces.labels[rows])
            found[f"recall {table}"] = balanced_recall(predicted, faces.labels[rows])
    return found


def _percent(right: torch.Tensor) -> float:
    return round(100 * float(right.float().mean()), 2)
