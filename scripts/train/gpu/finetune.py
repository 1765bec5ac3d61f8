"""Fine-tune a published or exported VGG-16 on packed faces, on a CPU or a GPU, with a checkpoint every epoch.

    python -m scripts.train.gpu.finetune --data packed --from runs/teachers/vgg16-2.1.0.tflite --out runs/finetune-075 \\
        --teacher runs/teachers/vgg16-1.4.0.tflite:unaligned:first \\
            runs/teachers/vgg16-2.0.0.tflite runs/teachers/vgg16-2.1.0.tflite:unaligned

What scripts.train.gpu.train learned from scratch within minutes on a GPU, this teaches new data, or the mean predictions of
published models, in an hour on two CPU cores. The same command resumes after the last finished epoch. At the end, means of the
initial and the fine-tuned weights (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022) are measured on the
validation faces, and the one with the best mean of accuracy and balanced recall over all tables is exported as `<name>-*.npz`
with results.json, for scripts.train.gpu.import_run. Tables that teachers do not teach (`--untaught`) do not count: they are made
to teach something, and how well they are read says little about photographs.

On a CPU most of the time may be spent on memory that glibc returns to the kernel after every step: set MALLOC_MMAP_MAX_=0 and
MALLOC_TRIM_THRESHOLD_=17179869184.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .arrays import read_arrays
from .config import FINETUNING, Recipe
from .data import PackedFaces, load
from .metrics import measure
from .networks import VGG_FILTERS, ExpressionNet, export, restore
from .published import PublishedModel, restore_published
from .steps import Log, Teacher, TrainingStep, file_log, learning_rate
from .train import EMA_WARMUP, SEED, Sampler, averaged, earlier_training, recompute_bn_stats

SHARES = (0.5, 0.75, 1.0)
"""Shares of the fine-tuned weights in the candidates."""


class Checkpoint:
    """Weights, momentum, average and random state after an epoch, in one file that is replaced as a whole."""

    def __init__(self, path: Path, step: TrainingStep) -> None:
        self.path, self.step = path, step

    def save(self, epoch: int, steps: int) -> None:
        """Write the state after `epoch` epochs and `steps` steps."""
        nets = [net.state_dict() for net in self.step.nets]
        state = {"nets": nets, "momentum": self.step.momentum, "average": self.step.average, "random": torch.get_rng_state()}
        partial = self.path.with_suffix(".partial")
        torch.save(state | {"epoch": epoch, "steps": steps, "batch": self.step.recipe.batch}, partial)
        partial.replace(self.path)

    def restore(self) -> tuple[int, int]:
        """Finished epochs and steps; zeros without a file. Raises ValueError for that of a training with other batches."""
        if not self.path.is_file():
            return 0, 0
        state = torch.load(self.path, map_location=self.step.faces.pixels.device, weights_only=True)
        if state["batch"] != self.step.recipe.batch:
            raise ValueError(f"{self.path} is of a training with batches of {state['batch']}")
        for net, stored in zip(self.step.nets, state["nets"], strict=True):
            net.load_state_dict(stored)
        with torch.no_grad():
            for name in ("momentum", "average"):
                for mine, stored in zip(getattr(self.step, name), state[name], strict=True):
                    mine.copy_(stored)
        torch.set_rng_state(state["random"].cpu())
        return state["epoch"], state["steps"]


def fit(step: TrainingStep, sampler: Sampler, checkpoint: Checkpoint, log: Log) -> None:
    """Train for the recipe's epochs, from the checkpoint if there is one. Raises FloatingPointError if the loss is not finite."""
    recipe, total = step.recipe, step.recipe.epochs * sampler.count
    first, done = checkpoint.restore()
    for epoch in range(first, recipe.epochs):
        start, losses = time.monotonic(), []
        for rows in sampler.epoch():
            rate = recipe.peak * learning_rate(done / total, recipe.warmup)
            step(rows, rate, min(recipe.ema, (1 + done) / (EMA_WARMUP + done)))
            done += 1
            losses.append(float(step.loss))
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"loss {losses[-1]} at step {done}")
        checkpoint.save(epoch + 1, done)
        pace = len(losses) * recipe.batch / (time.monotonic() - start)
        log(f"epoch {epoch + 1} of {recipe.epochs}: loss {np.mean(losses):.4f}, {pace:.0f} faces/s")


def criterion(found: dict[str, float], left_out: Sequence[int] = ()) -> float:
    """Mean of accuracy and balanced recall, in percent: FER2013 as serving aligns it, its votes, and each further table.

    The tables with the numbers `left_out` do not count.
    """
    tables = [name.split()[1] for name in found if name.startswith("table ") and int(name.split()[1]) not in left_out]
    pairs = [(found["label aligned"], found["recall aligned"])]
    pairs += [(found[f"table {table}"], found[f"recall {table}"]) for table in tables]
    parts = [sum(pair) / 2 for pair in pairs] + [found[name] for name in ("votes aligned",) if name in found]
    return sum(parts) / len(parts)


def interpolated(initial: ExpressionNet, tuned: ExpressionNet, share: float) -> ExpressionNet:
    """Network with the weights (1 - share) * initial + share * tuned; its batch-norm statistics have to be recomputed."""
    net = copy.deepcopy(tuned)
    with torch.no_grad():
        for weight, start in zip(net.parameters(), initial.parameters(), strict=True):
            weight.copy_(torch.lerp(start, weight, share))
    return net


def choose(
    initial: ExpressionNet, tuned: ExpressionNet, faces: PackedFaces, batch: int, log: Log, shares: Sequence[float] = SHARES,
    left_out: Sequence[int] = (),
) -> tuple[ExpressionNet, dict[str, Any]]:  # fmt: skip
    """The interpolation that is best by `criterion` without the tables `left_out`, and the figures of all."""
    candidates, figures, marks = {}, {}, {}
    for share in shares:
        net = interpolated(initial, tuned, share)
        candidates[share] = net = recompute_bn_stats(net, faces, batch)
        figures[share] = measure([net], faces, "validation")
        marks[share] = criterion(figures[share], left_out)
        log(f"share {share}: {marks[share]:.2f} {json.dumps(figures[share])}")
    best = max(marks, key=lambda share: marks[share])
    return candidates[best], {"share": best, "validation": figures[best], "shares": figures}


def initial_network(options: argparse.Namespace, faces: PackedFaces, recipe: Recipe) -> ExpressionNet:
    """The network that --from names: one exported to a folder, or a published LiteRT file.

    A published file is read once: its network is exported to the folder of the result, so that a training that resumes begins
    with the same heads.
    """
    folder, name = options.initial, options.name
    if folder.suffix == ".tflite":
        folder, name = options.out, f"{options.name}-initial"
        if not list(folder.glob(f"{name}-[0-9].npz")):
            export(restore_published(options.initial, faces, recipe), faces, folder, name)
    return restore(read_arrays(folder, name), recipe.dropout).placed(faces.pixels.device)


def teacher_of(text: str, label_sets: Sequence[str]) -> Teacher:
    """The teacher that `FILE[:unaligned][:first]` names.

    Raises ValueError for another word, FileNotFoundError without its files.
    """
    file, *words = text.split(":")
    if unknown := set(words) - {"unaligned", "first"}:
        raise ValueError(f"{text}: {min(unknown)} is neither unaligned nor first")
    return Teacher(PublishedModel(Path(file), label_sets), "unaligned" in words, "first" in words)


def finetune(options: argparse.Namespace, log: Log) -> None:
    """Run the command."""
    device = torch.device("cuda" if torch.cuda.is_available() and not options.cpu else "cpu")
    faces = load(options.data, device, options.limit)
    log(f"{len(faces.splits)} faces, {int((faces.splits == 'train').sum())} to train on")
    for table, factor in enumerate(options.weights):
        faces.weights[torch.from_numpy(faces.tables == table).to(device)] *= factor
    if options.soft:
        log(f"{faces.add_soft_labels(options.soft, options.soft_weight)} of them with soft labels")
    sampler = Sampler(faces, options.batch)
    recipe: Recipe = replace(FINETUNING, epochs=options.epochs, batch=sampler.batch)
    torch.manual_seed(SEED)
    initial = initial_network(options, faces, recipe).requires_grad_(False)
    if not (options.out / "last.pt").is_file():
        log(f"initial: {json.dumps(measure([initial], faces, 'validation'))}")
    net = copy.deepcopy(initial).train().requires_grad_(True).freeze(options.frozen_blocks)
    teachers = [teacher_of(text, faces.label_sets) for text in options.teacher]
    step = TrainingStep([net], faces, recipe, log, teachers, None, options.precision == "bfloat16", options.untaught)
    start = time.monotonic()
    fit(step, sampler, Checkpoint(options.out / "last.pt", step), log)
    seconds = round(time.monotonic() - start, 1)
    (tuned,) = averaged([net], step, faces)
    best, facts = choose(initial, tuned, faces, recipe.batch, log, options.shares, options.untaught)
    export(best, faces, options.out, options.name)
    width = best.backbone[0][0].out_channels / VGG_FILTERS[0]
    facts |= {"epochs": recipe.epochs, "seconds": seconds, "width": width, "kind": "vgg16", "recipe": asdict(recipe)}
    facts |= {
        "before": earlier_training(options.initial, options.name),
        "soft_weight": options.soft_weight if options.soft else 0.0,
        "initial": str(options.initial) if options.initial.suffix else None,
        "teachers": [Path(text).name for text in options.teacher],
        "frozen_blocks": options.frozen_blocks,
        "precision": "bfloat16 (autocast)" if options.precision == "bfloat16" else options.precision,
        "table_weights": options.weights,
        "untaught_tables": options.untaught,
    }
    results = {"networks": {options.name: facts}, "label_sets": faces.label_sets, "device": f"{device}, {options.precision}"}
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    log("done")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("packed"), help="folder that scripts.train.gpu.pack wrote")
    parser.add_argument("--from", dest="initial", type=Path, required=True, help="folder of an exported network, or LiteRT file")
    parser.add_argument("--name", default="student-75", help="the network")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, log and result")
    parser.add_argument(
        "--teacher", nargs="+", default=[], metavar="FILE[:unaligned][:first]",
        help="published backbones with their heads beside them; `unaligned` ones see faces as they lie, `first` ones teach the "
        "first table alone",
    )  # fmt: skip
    parser.add_argument(
        "--untaught", type=int, nargs="+", default=[], metavar="N",
        help="tables, counted from 0, whose faces the teachers do not teach: faces on which they are known to be wrong",
    )  # fmt: skip
    parser.add_argument("--frozen-blocks", type=int, default=0, help="first blocks of the backbone that stay as they are")
    parser.add_argument("--weights", type=float, nargs="+", default=[], help="factor of the sampling weights of each table")
    parser.add_argument("--soft", type=Path, help="file of soft labels of teachers (soft.npz of scripts.train.gpu.train)")
    parser.add_argument("--soft-weight", type=float, default=0.5, help="their weight against labels and votes")
    parser.add_argument("--epochs", type=int, default=FINETUNING.epochs)
    parser.add_argument("--batch", type=int, default=FINETUNING.batch)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="shares of the fine-tuned weights to try")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--limit", type=int, help="faces of each split, for tests")
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        finetune(options, file_log(options.out / "log.txt"))
    except (FileNotFoundError, ValueError, FloatingPointError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
