"""One training step of a group of networks, captured in a CUDA graph where that works."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from .augment import Augment
from .config import Recipe
from .data import CLASSES, PackedFaces
from .networks import ExpressionNet

Log = Callable[[str], None]
Capture = Callable[[Callable[[], None]], Callable[[], None]]


def file_log(path: Path) -> Log:
    """Function that prints lines with the seconds since now and appends them to a file."""
    start = time.monotonic()

    def log(text: str) -> None:
        line = f"{time.monotonic() - start:7.1f} {text}"
        print(line, flush=True)
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    return log


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of -(targets * log_softmax(logits)) over (N, 7) both; targets may sum to less than one, or to zero."""
    return -(targets * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def cuda_graph(function: Callable[[], None]) -> Callable[[], None]:
    """Capture what `function` does on the GPU; the result repeats it without Python."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


def learning_rate(progress: float, warmup: float) -> float:
    """Share of the peak rate after a share `progress` of all steps: linear warm-up, then a cosine to zero."""
    if progress < warmup:
        return max(progress, 1e-3) / warmup
    return 0.5 * (1 + math.cos(math.pi * min((progress - warmup) / (1 - warmup), 1)))


@dataclass(frozen=True)
class Teacher:
    """A trained network whose predictions for the augmented faces are targets.

    network: faces (N, 1, S, S) -> logits (N, 14). unaligned: it sees each face as it lies, augmented alike, whatever the others
    see. first_table: it teaches the faces of the first table alone.
    """

    network: Callable[[torch.Tensor], torch.Tensor]
    unaligned: bool = False
    first_table: bool = False


class TrainingStep:
    """Augmentation, loss, SGD with Nesterov momentum and coupled L2, and the moving average of the weights (EMA).

    All `nets` see the same augmented faces, and the same mean predictions of the `teachers` for them. Weights, momentum and
    average are float32; the networks compute in bfloat16, on a CPU only if that is asked for. The gradient of each network is
    clipped by its global norm. The faces of the tables `untaught` have their own targets alone: on those the teachers are wrong.
    """

    def __init__(
        self, nets: Sequence[ExpressionNet], faces: PackedFaces, recipe: Recipe, log: Log,
        teachers: Sequence[Teacher] = (), capture: Capture | None = None, bfloat16: bool | None = None,
        untaught: Sequence[int] = (),
    ) -> None:  # fmt: skip
        device = faces.pixels.device
        self.bfloat16 = device.type == "cuda" if bfloat16 is None else bfloat16
        self.nets, self.faces, self.recipe, self.log, self.capture = list(nets), faces, recipe, log, capture
        self.teachers = list(teachers)
        self.replay: Callable[[], None] | None = None
        self.augment, self.label_targets = Augment(recipe, faces.pixels.shape[1], device), faces.label_targets(recipe.smoothing)
        self.rows = torch.zeros(recipe.batch, dtype=torch.long, device=device)
        self.rate, self.blend, self.loss = (torch.zeros((), device=device) for _ in range(3))
        trained = [[weight for weight in net.parameters() if weight.requires_grad] for net in self.nets]
        self.weights, self.counts = [weight for weights in trained for weight in weights], [len(weights) for weights in trained]
        self.first_table = torch.from_numpy(faces.tables == 0).to(device)
        self.taught = torch.from_numpy(~np.isin(faces.tables, list(untaught))).to(device)
        self.momentum = [torch.zeros_like(weight) for weight in self.weights]
        self.average = [weight.detach().clone() for weight in self.weights]
        self.decayed = [number for number, weight in enumerate(self.weights) if weight.ndim > 1]  # neither norms nor biases

    def __call__(self, rows: torch.Tensor, rate: float, ema: float) -> None:
        """Train on the faces `rows` (N,); `ema`: weight of the old average."""
        self.rows.copy_(rows)
        self.rate.fill_(rate)
        self.blend.fill_(1 - ema)
        if self.replay is None:
            self.replay = self._captured()
            self.rate.fill_(rate)
            self.blend.fill_(1 - ema)
        self.replay()

    def total_loss(self) -> torch.Tensor:
        """Sum of the networks' losses on one augmented batch."""
        r, faces, rows = self.recipe, self.faces, self.rows
        views = self._views()
        labels, votes = self.label_targets[rows], faces.votes[rows]
        first, taught = self.first_table[rows], self.taught[rows]
        if r.mixup:  # with the face at the mirrored place of the batch (Zhang et al. 2018), mostly little
            share = r.mixup * torch.rand(len(rows), 1, device=rows.device) ** 2
            views = [torch.lerp(view, view.flip(0), share[:, :, None, None]) for view in views]
            labels, votes = torch.lerp(labels, labels.flip(0), share), torch.lerp(votes, votes.flip(0), share)
            first, taught = first & first.flip(0), taught & taught.flip(0)
        x, unaligned = views[0], views[-1]
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bfloat16, cache_enabled=False):
            outputs = [net(x) for net in self.nets]
            with torch.no_grad():
                soft = self._soft_labels(x, unaligned, first) if self.teachers else None
        return torch.stack([self._loss(logits, labels, votes, soft, taught) for logits in outputs]).sum()

    def _views(self) -> list[torch.Tensor]:
        """The augmented faces and, if a teacher asks for it, the same augmentation of the faces as they lie."""
        images, theta = self.faces.pixels[self.rows][:, None].float(), self.faces.theta[self.rows]
        if not any(teacher.unaligned for teacher in self.teachers):
            return [self.augment(images, theta)]
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            unaligned = self.augment(images, self.augment.identity.expand_as(theta))
        return [self.augment(images, theta), unaligned]  # both from the same random state

    def _soft_labels(self, x: torch.Tensor, unaligned: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """Mean probabilities (N, 2, 7) at the recipe's temperature of the teachers of each face; zeros for one without any."""
        total, count = torch.zeros(len(x), 2, CLASSES, device=x.device), torch.zeros(len(x), 1, 1, device=x.device)
        for teacher in self.teachers:
            logits = teacher.network(unaligned if teacher.unaligned else x).float().view(-1, 2, CLASSES)
            known = (first if teacher.first_table else torch.ones_like(first)).float()[:, None, None]
            total, count = total + F.softmax(logits / self.recipe.temperature, dim=2) * known, count + known
        return total / count.clamp(min=1)

    def _loss(
        self, logits: torch.Tensor, labels: torch.Tensor, votes: torch.Tensor, soft: torch.Tensor | None, taught: torch.Tensor
    ) -> torch.Tensor:
        """Loss of one network; soft labels (N, 2, 7) of `taught` faces count beside their own targets (Hinton et al. 2015)."""
        r = self.recipe
        if soft is None:
            return cross_entropy(logits[:, :CLASSES], labels) + r.votes_weight * cross_entropy(logits[:, CLASSES:], votes)
        share = r.distill_weight * taught.float()[:, None]
        own_labels, own_votes = labels * (1 - share), votes * (1 - share)
        loss = cross_entropy(logits[:, :CLASSES], own_labels) + r.votes_weight * cross_entropy(logits[:, CLASSES:], own_votes)
        scaled, share = logits / r.temperature, share * r.temperature**2
        soft_labels = soft[:, 0] * labels.sum(dim=1, keepdim=True) * share
        soft_votes = soft[:, 1] * votes.sum(dim=1, keepdim=True) * share
        distilled = cross_entropy(scaled[:, :CLASSES], soft_labels) + r.votes_weight * cross_entropy(
            scaled[:, CLASSES:], soft_votes
        )
        return loss + distilled

    def run(self) -> None:
        """Forward, backward and update, as the graph repeats it."""
        loss = self.total_loss()
        grads = list(torch.autograd.grad(loss, self.weights))
        with torch.no_grad():
            pairs = zip(grads, self.weights, strict=True)
            grads = [g if g.stride() == w.stride() else torch.empty_like(w).copy_(g) for g, w in pairs]
            first = 0
            for count in self.counts:
                own = grads[first : first + count]
                norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(own)))
                torch._foreach_mul_(own, torch.clamp(self.recipe.clip / (norm + 1e-6), max=1.0))
                first += count
            torch._foreach_add_(
                [grads[k] for k in self.decayed], [self.weights[k] for k in self.decayed], alpha=self.recipe.decay
            )
            torch._foreach_mul_(self.momentum, self.recipe.momentum)
            torch._foreach_add_(self.momentum, grads)
            torch._foreach_add_(grads, self.momentum, alpha=self.recipe.momentum)
            torch._foreach_mul_(grads, self.rate)
            torch._foreach_sub_(self.weights, grads)
            difference = torch._foreach_sub(self.weights, self.average)
            torch._foreach_mul_(difference, self.blend)
            torch._foreach_add_(self.average, difference)
            self.loss.copy_(loss)

    def _captured(self) -> Callable[[], None]:
        if self.capture is None:
            return self.run
        try:
            replay, losses = self.capture(self.run), []
            self.rate.zero_()
            self.blend.zero_()
            for _ in range(2):  # trains nothing; two augmentations of the same faces must give two losses
                replay()
                losses.append(float(self.loss))
            if not all(map(math.isfinite, losses)) or losses[0] == losses[1]:
                raise RuntimeError(f"losses {losses} of two replays")
            return replay
        except Exception as error:  # any failure of the capture leaves the plain step
            self.log(f"no CUDA graph, steps run one by one: {type(error).__name__}: {error}")
            return self.run
