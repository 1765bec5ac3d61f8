"""Hyper-parameters of the networks that are trained on a GPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How a group of networks is trained.

    Rates and sizes are those of SGD; `warmup` is a share of all steps. `aligned`, `erase`, `blur`, `gradient`, `noise` and `jpeg`
    are probabilities per face. `shift` is in pixels, `rotation` in degrees, `scale` and `brightness` are relative.
    """

    peak: float = 0.05
    batch: int = 512
    epochs: int = 200  # upper limit: the time limit decides
    warmup: float = 0.05
    momentum: float = 0.9
    decay: float = 5e-4
    clip: float = 5.0
    ema: float = 0.999
    smoothing: float = 0.1
    dropout: float = 0.4
    votes_weight: float = 1.0
    aligned: float = 0.5
    shift: float = 4.0
    rotation: float = 15.0
    scale: float = 0.2
    brightness: float = 0.25
    erase: float = 0.5
    blur: float = 0.4
    gradient: float = 0.4
    noise: float = 0.3
    jpeg: float = 0.3
    mixup: float = 0.0
    distill_weight: float = 0.7
    temperature: float = 2.0


@dataclass(frozen=True)
class Stage:
    """One or more networks of one kind that are trained at the same time on the same batches.

    `widths`: network name -> factor of its channels. `time_share`: share of the time that is left when the stage begins.
    `distilled`: the networks learn the mean predictions of all earlier networks as well, for the very same augmented faces.
    `initial`: an earlier network, from whose weights those of its width start.
    """

    kind: str
    widths: dict[str, float]
    time_share: float
    recipe: Recipe
    distilled: bool = False
    initial: str = ""


ALL_TIME = 0.97
"""Time share of a last stage; the rest is for its results."""
# One architecture, three initializations: a ResNet-18 with a stem of full resolution takes 1.6 times as long an epoch as VGG-16
# of full width, and fitted less well in the same time (67.5 against 69.0 % of FER2013's validation faces).
TEACHERS = {
    "teachers": Stage(
        "vgg16",
        {"teacher-1": 0.75, "teacher-2": 0.75, "teacher-3": 0.75},
        0.45,
        Recipe(epochs=300, smoothing=0.05, mixup=0.3),
    )
}
STUDENTS = {
    "students": Stage(
        "vgg16",
        {"student-100": 1.0, "student-75": 0.75, "student-50": 0.5},
        ALL_TIME,
        Recipe(epochs=600, smoothing=0.0, mixup=0.3),
        distilled=True,
        initial="teacher-1",
    )
}
FINETUNING = Recipe(
    peak=0.015, batch=256, epochs=10, warmup=0.03, ema=0.995, smoothing=0.0, dropout=0.3, mixup=0.2, aligned=0.7, shift=3.0,
    rotation=10.0, scale=0.15, erase=0.35, blur=0.35, gradient=0.35, noise=0.25, jpeg=0.25,
)  # fmt: skip
"""Of `finetune`: a third of the students' rate, since the weights are those of a finished training, and milder views, most of
them aligned as served."""
