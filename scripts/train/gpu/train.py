"""Train VGG-16 backbones on packed faces on one GPU within a time limit: teachers first, then students of three widths.

    python -m scripts.train.gpu.train --data packed --out OUT --work WORK --end $(($(date +%s) + 300)) --teachers
    python -m scripts.train.gpu.train --data packed --out OUT --work WORK --end $(($(date +%s) + 450)) --only student-75

The second command resumes after the networks in WORK. Written to OUT, each as soon as it is finished: `student-*.npz`
(float16 weights, for scripts.train.gpu.import_run; the first command writes the teacher that students start from), `soft.npz`
(the teachers' mean predictions for the training faces, in the form of scripts.train.soft_labels), results.json and log.txt.
Students are also exported in the middle of their training; results.json names a network only when it is finished. Exit code 3:
a stage failed with CUDA graphs; the same command with --no-graph may succeed. It runs on a CPU too, for tests
(--divisor 32 --limit 150).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .arrays import read_arrays, write_arrays
from .augment import warp
from .config import ALL_TIME, STUDENTS, TEACHERS, Recipe, Stage
from .data import PackedFaces, load
from .metrics import measure, predict
from .networks import MOMENTUM, ExpressionNet, export, restore
from .steps import Capture, Log, Teacher, TrainingStep, cuda_graph, file_log, learning_rate

SEED = 20261126
BN_FACES = 16_384
"""Faces over which batch norm's statistics are computed."""
SOFT_WEIGHT = 0.5
"""Weight of an earlier call's soft labels against labels and votes."""
EMA_WARMUP = 10
"""The average forgets its first steps: its weight at step n is at most (1 + n) / (EMA_WARMUP + n)."""


def averaged(
    nets: Sequence[ExpressionNet], step: TrainingStep, faces: PackedFaces, until: float = math.inf
) -> list[ExpressionNet]:
    """Copies of `nets` with the averages of their weights and batch-norm statistics that belong to these."""
    copies = [copy.deepcopy(net) for net in nets]
    with torch.no_grad():
        trained = [weight for net in copies for weight in net.parameters() if weight.requires_grad]
        for weight, average in zip(trained, step.average, strict=True):
            weight.copy_(average)
    return [recompute_bn_stats(net, faces, step.recipe.batch, until) for net in copies]


@torch.no_grad()
def recompute_bn_stats(net: ExpressionNet, faces: PackedFaces, batch: int, until: float = math.inf) -> ExpressionNet:
    """Batch norm's statistics as the mean over batches of training faces, not augmented, half of them aligned.

    At most BN_FACES random faces are taken: each counts once for every place of a feature map.
    """
    net.train()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d) and module.training]  # not of frozen blocks
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    order = faces.rows("train")
    order = order[torch.randperm(len(order), device=order.device)][:BN_FACES]
    for number, rows in enumerate(order.split(batch)):
        if number and (len(rows) < batch or time.monotonic() > until):
            break
        aligned = torch.rand(len(rows), 1, 1, device=order.device) < 0.5
        theta = torch.where(aligned, faces.theta[rows], torch.eye(2, 3, device=order.device))
        net.features(warp(faces.pixels[rows][:, None].float(), theta))
    for norm in norms:
        norm.momentum = MOMENTUM
    return net.eval().requires_grad_(False)


def earlier_training(folder: Path, name: str) -> dict[str, Any] | None:
    """What results.json beside the initial network says of its training; None without that file."""
    path = folder / "results.json"
    return json.loads(path.read_text(encoding="utf-8"))["networks"].get(name) if path.is_file() else None


class Sampler:
    """Batches of training faces: an epoch has as many faces as their weights sum to, drawn by weight without replacement.

    Where nearly all faces are drawn, those of low weight occur a little more often than their weight says.
    """

    def __init__(self, faces: PackedFaces, batch: int) -> None:
        rows = faces.rows("train")
        weights = faces.weights[rows]
        copies = weights.ceil().clamp(min=1)
        self.pool = rows.repeat_interleave(copies.long())
        self.chance = (weights / copies).repeat_interleave(copies.long())
        self.batch = min(batch, len(self.pool))
        self.count = max(min(int(weights.sum()), len(self.pool)) // self.batch, 1)
        """Batches in an epoch."""

    def epoch(self) -> torch.Tensor:
        """Row numbers (count, batch)."""
        return self.pool[torch.multinomial(self.chance, self.count * self.batch)].view(self.count, self.batch)


def fit(
    nets: Sequence[ExpressionNet], faces: PackedFaces, recipe: Recipe, until: float, log: Log,
    teachers: Sequence[ExpressionNet] = (), capture: Capture | None = None,
    halfway: Callable[[list[ExpressionNet]], None] | None = None,
) -> tuple[list[ExpressionNet], dict[str, Any]]:  # fmt: skip
    """Train until `until` (time.monotonic()) or for the recipe's epochs, the learning rate's cosine fitted to the time.

    Returns the averaged networks and facts about the training. `halfway` gets the averaged networks at half of the steps.
    Raises FloatingPointError if the loss is not finite.
    """
    device, sampler = faces.pixels.device, Sampler(faces, recipe.batch)
    recipe, count = replace(recipe, batch=sampler.batch), sampler.count
    for net in nets:
        net.placed(device).train().requires_grad_(True)
    step = TrainingStep(nets, faces, recipe, log, [Teacher(net) for net in teachers], capture)
    every = 20 if device.type == "cuda" else 1
    torch.backends.cudnn.benchmark = True
    start, done, total, mark, order = time.monotonic(), 0, recipe.epochs * count, None, torch.empty(0)
    while done < total:
        if done % count == 0:
            order = sampler.epoch()
        rate = recipe.peak * learning_rate(done / total, recipe.warmup)
        step(order[done % count], rate, min(recipe.ema, (1 + done) / (EMA_WARMUP + done)))
        done += 1
        if done % every:
            continue
        loss, now = float(step.loss), time.monotonic()  # waits for the GPU
        if not math.isfinite(loss):
            raise FloatingPointError(f"loss {loss} at step {done}")
        if now > until:
            break
        if mark is None:
            mark = now, done
            continue
        pace = (now - mark[0]) / (done - mark[1])
        total = min(recipe.epochs * count, done + int(min((until - now) / pace, 1e9)))
        if done % (count * 10) < every:
            log(f"  epoch {done / count:.0f} of {total / count:.0f}, {pace * count:.3f} s each, loss {loss:.4f}")
        if halfway and done > total / 2:
            halfway(averaged(nets, step, faces, until))
            mark, halfway = None, None
    seconds, loss = round(time.monotonic() - start, 1), round(float(step.loss), 4)
    facts = {"epochs": round(done / count, 2), "steps": done, "seconds": seconds, "loss": loss, "graph": step.replay != step.run}
    torch.backends.cudnn.benchmark = False  # batch sizes differ from here on
    return averaged(nets, step, faces, until + 0.05 * (until - start)), facts


class Run:
    """The stages of one call, their results and the deadline."""

    def __init__(self, options: argparse.Namespace, faces: PackedFaces, log: Log, end: float, capture: Capture | None) -> None:
        self.options, self.faces, self.log, self.end, self.capture = options, faces, log, end, capture
        self.results: dict[str, Any] = {"networks": {}, "label_sets": faces.label_sets, "device": str(faces.pixels.device)}
        self.overhead = 0.0  # seconds that measuring and writing took after the stage before
        self.nets: dict[str, ExpressionNet] = {}  # of the finished stages

    def everything(self) -> None:
        """Train the teachers and, unless only these are wanted, the students."""
        if self.options.earlier:
            teachers = self.earlier_teachers()
        else:
            stages = dict(TEACHERS)
            if self.options.teachers:  # no students follow
                last = list(stages)[-1]
                stages[last] = replace(stages[last], time_share=ALL_TIME)
            teachers = [net for name, stage in stages.items() for net in self.stage(name, stage, ())]
        if teachers and not self.options.earlier:
            self.save_soft_labels(teachers)
            self.results["ensemble"] = measure(teachers, self.faces, "validation")
            self.log(f"mean of the teachers: {json.dumps(self.results['ensemble'])}")
        if self.options.teachers:
            # A machine that is lost after this call leaves what another training can begin with.
            for name in {stage.initial for stage in STUDENTS.values()} & self.nets.keys():
                export(self.nets[name], self.faces, self.options.out, name)
            self.write()
            return self.log("teachers are done")
        for name, stage in STUDENTS.items():
            widths = {one: width for one, width in stage.widths.items() if not self.options.only or one in self.options.only}
            self.stage(name, replace(stage, widths=widths), teachers)
        self.write()
        self.log("done")

    def earlier_teachers(self) -> list[ExpressionNet]:
        """The teachers that an earlier call exported; its soft labels count half in the targets of the faces."""
        folder = self.options.earlier
        names = sorted(path.name.removesuffix("-0.npz") for path in folder.glob("teacher-*-0.npz"))
        for name in names:
            net = restore(read_arrays(folder, name)).placed(self.faces.pixels.device)
            self.nets[name] = net.requires_grad_(False)
            if facts := earlier_training(folder, name):
                self.results["networks"][name] = facts
        count = self.faces.add_soft_labels(folder / "soft.npz", SOFT_WEIGHT)
        self.log(f"{', '.join(names)} restored, {count} faces with soft labels")
        return [self.nets[name] for name in names]

    def stage(self, name: str, stage: Stage, teachers: Sequence[ExpressionNet]) -> list[ExpressionNet]:
        """The networks of a stage, from the folder --work or trained now; none if it failed or no time is left."""
        if kept := self._kept(stage):
            return kept
        seconds = (self.end - time.monotonic() - 2 * self.overhead) * stage.time_share
        until = time.monotonic() + seconds - max(self.overhead, 0.05 * seconds)
        if until < time.monotonic() + 2 * self.overhead:
            self.log(f"{name}: no time is left")
            return []
        try:
            nets, facts = self._trained(name, stage, teachers if stage.distilled else (), until)
        except Exception as error:  # a stage that fails must not lose what is finished
            self.log(f"{name} failed: {traceback.format_exc()}")
            if self.capture and self.options.work and not isinstance(error, FloatingPointError):
                raise SystemExit(3) from error
            return []
        finished = time.monotonic()
        for (one, width), net in zip(stage.widths.items(), nets, strict=True):
            own = facts | {"width": width, "validation": measure([net], self.faces, "validation")}
            before = self.results["networks"].get(stage.initial)
            own |= {"before": before} if before and before["width"] == width else {}
            own |= {"soft_weight": SOFT_WEIGHT} if self.options.earlier else {}
            self.log(f"{one}: {json.dumps(own)}")
            self.results["networks"][one], self.nets[one] = own, net
            if stage.distilled:
                export(net, self.faces, self.options.out, one)
            if self.options.work:
                self.options.work.mkdir(parents=True, exist_ok=True)
                torch.save({"net": net.state_dict(), "facts": json.dumps(own)}, self.options.work / f"{one}.pt")
        self.write()
        self.overhead = time.monotonic() - finished
        return nets

    def _kept(self, stage: Stage) -> list[ExpressionNet]:
        """The networks that an earlier call finished, if it finished all of the stage."""
        paths = [self.options.work / f"{name}.pt" for name in stage.widths] if self.options.work else []
        if not paths or not all(path.is_file() for path in paths):
            return []
        nets = []
        for (name, width), path in zip(stage.widths.items(), paths, strict=True):
            stored = torch.load(path, map_location="cpu", weights_only=True)
            net = ExpressionNet(stage.kind, 0.0, width, self.options.divisor)
            net.load_state_dict(stored["net"])
            self.results["networks"][name] = json.loads(stored["facts"])
            nets.append(net.placed(self.faces.pixels.device).eval().requires_grad_(False))
            self.nets[name] = nets[-1]
        return nets

    def _trained(self, name: str, stage: Stage, teachers: Sequence[ExpressionNet], until: float) -> tuple[list, dict[str, Any]]:
        recipe = replace(stage.recipe, batch=min(stage.recipe.batch, self.options.batch))

        def halfway(nets: list[ExpressionNet]) -> None:
            for one, net in zip(stage.widths, nets, strict=True):
                export(net, self.faces, self.options.out, one)

        for peak in (recipe.peak, recipe.peak / 4):
            torch.manual_seed(SEED + list(TEACHERS | STUDENTS).index(name))
            widths = stage.widths.values()
            nets = [ExpressionNet(stage.kind, recipe.dropout * width**0.5, width, self.options.divisor) for width in widths]
            if initial := self.nets.get(stage.initial):
                for net in nets:
                    if net.heads.in_features == initial.heads.in_features:
                        net.load_state_dict(initial.state_dict())
            self.log(f"{name}: {stage.kind}, peak {peak:g}, {until - time.monotonic():.0f} s, {len(teachers)} teachers")
            try:
                recipe = replace(recipe, peak=peak)
                after = halfway if stage.distilled else None
                nets, facts = fit(nets, self.faces, recipe, until, self.log, teachers, self.capture, after)
                return nets, facts | {"recipe": asdict(recipe), "kind": stage.kind}
            except FloatingPointError as error:
                self.log(f"{name}: {error}")
        raise FloatingPointError(f"{name} diverges at a quarter of its rate too")

    def save_soft_labels(self, teachers: Sequence[ExpressionNet]) -> None:
        """Write the teachers' mean predictions for the training faces, over both mirror images, in the form of soft_labels."""
        rows = self.faces.rows("train")
        mean = predict(teachers, self.faces, rows, mirrored=True).cpu().numpy().astype(np.float16)
        arrays = {name: mean[:, number] for number, name in enumerate(self.faces.label_sets)}
        keys = self.faces.keys[self.faces.splits == "train"]
        write_arrays(self.options.out / "soft.npz", {"sample_keys": keys, **arrays}, compress=True)

    def write(self) -> None:
        """Write results.json."""
        partial = self.options.out / ".results.json"
        partial.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self.options.out / "results.json")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("packed"), help="folder that scripts.train.gpu.pack wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=480, help="time limit from now on")
    parser.add_argument("--end", type=float, help="instead: the time of the deadline, in seconds since 1970")
    parser.add_argument("--work", type=Path, help="folder of finished networks, to resume after them")
    parser.add_argument("--teachers", action="store_true", help="stop after the teachers")
    students = [name for stage in STUDENTS.values() for name in stage.widths]
    parser.add_argument("--only", nargs="+", choices=students, help="train these students only")
    parser.add_argument(
        "--earlier",
        type=Path,
        help="where WORK is lost: folder of the teacher and the soft labels that the first command exported",
    )
    parser.add_argument("--no-graph", action="store_true", help="without CUDA graphs")
    parser.add_argument("--batch", type=int, default=512, help="upper limit of the batch size")
    parser.add_argument("--divisor", type=int, default=1, help="divide all channels, for tests")
    parser.add_argument("--limit", type=int, help="faces of each split, for tests")
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args(arguments)
    if options.earlier and not (any(options.earlier.glob("teacher-*-0.npz")) and (options.earlier / "soft.npz").is_file()):
        parser.error(f"{options.earlier} lacks an exported teacher or soft.npz")
    start = time.monotonic()
    end = start + (options.end - time.time() if options.end else options.seconds)
    options.out.mkdir(parents=True, exist_ok=True)

    log = file_log(options.out / "log.txt")
    cuda = torch.cuda.is_available() and not options.cpu
    torch.set_float32_matmul_precision("high")
    log(f"torch {torch.__version__}, {torch.cuda.get_device_name() if cuda else 'CPU'}, {end - start:.0f} s")
    faces = load(options.data, torch.device("cuda" if cuda else "cpu"), options.limit)
    log(f"{len(faces.splits)} faces, {int((faces.splits == 'train').sum())} to train on")
    Run(options, faces, log, end, cuda_graph if cuda and not options.no_graph else None).everything()


if __name__ == "__main__":
    main()
