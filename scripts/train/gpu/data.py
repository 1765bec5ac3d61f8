"""Packed tables of faces on the GPU: pixels, alignment matrices, targets, sampling weights."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

CLASSES = 7
COLUMNS, ROWS = 32, 64
"""Faces in a row and rows of a sprite sheet."""


@dataclass
class PackedFaces:
    """Rows of the packed tables on one device.

    pixels: (N, S, S) uint8. theta: (N, 2, 3) float32 for `affine_grid`, the crop that serving would take (identity if unknown).
    labels: (N,) int64, -1 if unknown. votes: (N, 7) float32. weights: (N,) float32, how often a face occurs in an epoch.
    tables: (N,) number of the face's table. splits, keys: (N,) str. label_sets: names of the label sets of the first table.
    soft: (N, 7) float32 weighted soft labels, which `label_targets` adds to what they leave of the labels; None without teachers.
    """

    pixels: torch.Tensor
    theta: torch.Tensor
    labels: torch.Tensor
    votes: torch.Tensor
    weights: torch.Tensor
    tables: np.ndarray
    splits: np.ndarray
    keys: np.ndarray
    label_sets: list[str]
    soft: torch.Tensor | None = None

    def rows(self, split: str, table: int | None = None) -> torch.Tensor:
        """Row numbers (M,) of a split, of all tables or one."""
        chosen = (self.splits == split) & ((self.tables == table) | (table is None))
        return torch.from_numpy(np.flatnonzero(chosen)).to(self.pixels.device)

    def label_targets(self, smoothing: float) -> torch.Tensor:
        """(N, 7) smoothed one-hot targets; zeros for a face without a label."""
        known = (self.labels >= 0).float()[:, None]
        own = known * (F.one_hot(self.labels.clamp(min=0), CLASSES) * (1 - smoothing) + smoothing / CLASSES)
        return own if self.soft is None else own * (1 - self.soft.sum(dim=1, keepdim=True)) + known * self.soft

    def add_soft_labels(self, path: Path, weight: float) -> int:
        """Mix the soft labels of a file of `train` or of scripts.train.soft_labels into labels and votes, with this weight.

        Faces that the file does not hold keep their targets. Returns the number of faces with soft labels.
        """
        with np.load(path, allow_pickle=False) as stored:
            places = {key: place for place, key in enumerate(stored["sample_keys"].tolist())}
            rows = np.array([places.get(key, -1) for key in self.keys.tolist()])
            known = torch.from_numpy((rows >= 0) * np.float32(weight))[:, None].to(self.pixels.device)
            soft = [torch.from_numpy(stored[name].astype(np.float32)[rows]).to(known.device) * known for name in self.label_sets]
        self.soft = soft[0]
        if len(soft) > 1:
            self.votes = self.votes * (1 - known) + soft[1] * self.votes.sum(dim=1, keepdim=True)
        return int((rows >= 0).sum())


def read_sheet(path: Path, size: int) -> np.ndarray:
    """The faces (M, size, size) uint8 of a sprite sheet, empty places included."""
    pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"))
    return pixels.reshape(-1, size, COLUMNS, size).swapaxes(1, 2).reshape(-1, size, size)


def theta_of(matrices: np.ndarray, size: int) -> np.ndarray:
    """Alignment matrices (N, 2, 3) in pixels -> the same in the coordinates of `affine_grid`; NaN becomes the identity."""
    axes, move = matrices[:, :, :2], matrices[:, :, 2]
    theta = np.concatenate([axes, (axes.sum(axis=2) + 2 * move / size - 1)[:, :, None]], axis=2)
    return np.where(np.isfinite(theta).all(axis=(1, 2), keepdims=True), theta, np.eye(2, 3)).astype(np.float32)


def load(folder: Path, device: torch.device, limit: int | None = None) -> PackedFaces:
    """Read the folder that `pack` wrote; `limit`: at most so many faces of each split, for tests.

    A labelled face of a further table, which has no votes, gets its smoothed label as votes.
    """
    with np.load(folder / "columns.npz", allow_pickle=False) as stored:
        columns = {name: stored[name] for name in stored.files}
    size, train = int(columns["size"]), columns["splits"] == "train"
    pixels = np.zeros((len(train), size, size), np.uint8)
    for kind, chosen in (("train", train), ("held-out", ~train)):
        sheets = [read_sheet(path, size) for path in sorted(folder.glob(f"{kind}-*.webp"))]
        pixels[chosen] = np.concatenate(sheets)[: chosen.sum()] if sheets else 0
    rows = np.arange(len(train))
    if limit:
        order = np.random.default_rng(0).permutation(rows)
        splits = columns["splits"][order]
        rows = np.sort(np.concatenate([order[splits == split][:limit] for split in np.unique(splits)]))
    part = {name: columns[name][rows] for name in ("align", "labels", "votes", "weights", "tables", "splits", "keys")}
    votes, labels = part["votes"].astype(np.float32), part["labels"].astype(np.int64)
    without_votes = (part["tables"] > 0) & (labels >= 0) & (votes.sum(axis=1) == 0)
    votes[without_votes] = np.eye(CLASSES)[labels[without_votes]] * 0.9 + 0.1 / CLASSES
    theta = theta_of(part["align"].astype(np.float32), size)
    weights = part["weights"].astype(np.float32)
    return PackedFaces(
        pixels=torch.from_numpy(pixels[rows]).to(device),
        theta=torch.from_numpy(theta).to(device),
        labels=torch.from_numpy(labels).to(device),
        votes=torch.from_numpy(votes).to(device),
        weights=torch.from_numpy(weights).to(device),
        tables=part["tables"],
        splits=part["splits"],
        keys=part["keys"],
        label_sets=columns["label_sets"].tolist(),
    )
