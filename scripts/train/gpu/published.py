"""Published LiteRT files as the start of a training and as its teachers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ...common.litert_weights import convolutions
from .augment import Augment
from .config import Recipe
from .data import PackedFaces
from .networks import EPSILON, VGG_FILTERS, ConvBlock, ExpressionNet
from .steps import cross_entropy, learning_rate

HEAD_FACES, HEAD_STEPS, HEAD_BATCH, HEAD_RATE = 20_000, 600, 2048, 0.3
"""Faces, steps, batch size and peak rate with which new heads are fitted to a published backbone by SGD with momentum."""
BATCH = 64
"""Faces of one call of a teacher."""


def restore_published(path: Path, faces: PackedFaces, recipe: Recipe) -> ExpressionNet:
    """VGG-16 with the weights of a published LiteRT backbone, and new heads that are fitted to it.

    The file holds each batch norm folded into its convolution. The kernels get the scale of He initialization, to which the
    learning rates of the recipes belong, and the batch norms the statistics of `faces`; the features stay the same.

    Raises:
        ValueError: if the file holds another network.
    """
    stored = convolutions(path)
    net = ExpressionNet("vgg16", recipe.dropout, stored[0][0].shape[3] / VGG_FILTERS[0]).placed(faces.pixels.device).eval()
    blocks = [block for block in net.backbone if isinstance(block, ConvBlock)]
    expected = [tuple(block[0].weight.permute(2, 3, 1, 0).shape) for block in blocks]
    if expected != [kernel.shape for kernel, _ in stored]:
        raise ValueError(f"{path} does not hold the convolutions of a VGG-16 of one width")
    with torch.no_grad():
        for block, (kernel, bias) in zip(blocks, stored, strict=True):
            weight = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
            scale = 2**0.5 / weight.flatten(1).norm(dim=1).clamp(min=1e-6)
            block[0].weight.copy_(weight * scale[:, None, None, None])
            block[1].weight.copy_((1 + EPSILON) ** 0.5 / scale)
            block[1].bias.copy_(torch.from_numpy(bias))
        _keep_function(net, faces, recipe.batch)
    _fit_heads(net, faces, recipe)
    return net


def _keep_function(net: ExpressionNet, faces: PackedFaces, batch: int) -> None:
    """Give the batch norms, whose statistics are 0 and 1, those of the faces, and weights with which outputs stay the same."""
    norms = [block[1] for block in net.backbone if isinstance(block, ConvBlock)]
    inputs: list[torch.Tensor] = []
    hooks = [norm.register_forward_pre_hook(lambda _, given: inputs.append(given[0].double())) for norm in norms]
    rows = faces.rows("train")
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).to(rows.device)[: max(batch, 256)]
    net.features(faces.pixels[rows[order]][:, None].float())
    for norm, hook, given in zip(norms, hooks, inputs, strict=True):
        hook.remove()
        mean, variance = given.mean((0, 2, 3)).float(), given.var((0, 2, 3), unbiased=False).float()
        gain = norm.weight / (1 + EPSILON) ** 0.5
        norm.bias.add_(gain * mean)
        norm.weight.copy_(gain * (variance + EPSILON).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


def _fit_heads(net: ExpressionNet, faces: PackedFaces, recipe: Recipe) -> None:
    """Fit the linear heads to the features of augmented faces, so that the first training steps do not spoil the backbone."""
    rows, augment = faces.rows("train"), Augment(recipe, faces.pixels.shape[1], faces.pixels.device)
    rows = rows[torch.multinomial(faces.weights[rows], min(HEAD_FACES, len(rows)))]
    with torch.no_grad():
        parts = [net.features(augment(faces.pixels[some][:, None].float(), faces.theta[some])) for some in rows.split(512)]
    features, labels, votes = torch.cat(parts), faces.label_targets(recipe.smoothing)[rows], faces.votes[rows]
    weights = list(net.heads.parameters())
    momentum = [torch.zeros_like(weight) for weight in weights]
    for step in range(HEAD_STEPS):
        some = torch.randint(len(rows), (min(HEAD_BATCH, len(rows)),), device=rows.device)
        logits = net.heads(F.dropout(features[some], recipe.dropout))
        half = logits.shape[1] // 2
        loss = cross_entropy(logits[:, :half], labels[some]) + cross_entropy(logits[:, half:], votes[some])
        # Not torch.optim: in a process with TensorFlow its import ends the process.
        grads, rate = torch.autograd.grad(loss, weights), HEAD_RATE * learning_rate(step / HEAD_STEPS, recipe.warmup)
        with torch.no_grad():
            for weight, grad, velocity in zip(weights, grads, momentum, strict=True):
                weight.sub_(velocity.mul_(recipe.momentum).add_(grad), alpha=rate)


class PublishedModel:
    """A published backbone with its heads of labels and votes, on the CPU: faces (N, 1, S, S) 0..255 -> logits (N, 14).

    The heads lie beside the backbone `<name>-<version>.tflite` as `<name>-<label set>-<version>.tflite`.
    """

    def __init__(self, path: Path, label_sets: Sequence[str]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        name, _, version = path.stem.rpartition("-")
        heads = [path.with_name(f"{name}-{label_set}-{version}.tflite") for label_set in label_sets]
        if missing := [file for file in (path, *heads) if not file.is_file()]:
            raise FileNotFoundError(f"{missing[0]} does not exist: a teacher is a backbone with its heads beside it")
        threads = torch.get_num_threads()
        self.backbone, *self.heads = (Interpreter(str(file), num_threads=threads) for file in (path, *heads))

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        parts = []
        for some in pixels.cpu().permute(0, 2, 3, 1).contiguous().split(BATCH):
            features = _run(self.backbone, some.numpy())
            parts.append(np.concatenate([_run(head, features) for head in self.heads], axis=1))
        return torch.from_numpy(np.concatenate(parts)).to(pixels.device)


def _run(interpreter: Any, inputs: np.ndarray) -> np.ndarray:
    details = interpreter.get_input_details()[0]
    if tuple(details["shape"]) != inputs.shape:
        interpreter.resize_tensor_input(details["index"], inputs.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(details["index"], inputs)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()
