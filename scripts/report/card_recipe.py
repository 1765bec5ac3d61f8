"""How a model was made, in words: its design, its training and what it went on from."""

from __future__ import annotations

from typing import Any

NETWORKS = {
    "vgg16": "VGG-16 with batch norm, cut before its top and trained on faces, batch norm folded",
    "vgg19": "VGG-19 with batch norm, cut before its top and trained on faces, batch norm folded",
    "fer_cnn": "four convolutions and two dense layers trained on faces, batch norm folded",
    "vgg16_imagenet": "VGG-16 as published for ImageNet, cut before its top and not trained on faces",
    "residual": "a residual network of this project's own trained on faces, batch norm folded",
    "resnet50": "ResNet-50, its stem at stride 1 for small grey pictures, trained on faces, batch norm folded",
}
"""What a card says of each design in scripts/train/backbones.py."""


def recipe(config: dict[str, Any]) -> str:
    """The training of a run's base, in a sentence or two."""
    if not config["stages"]:
        return "the base was not trained; heads alone were."
    chosen, loss, augment = config["optimiser"], config["loss"], config["augment"]
    truths = " and ".join(f"`{name}`" for name in config.get("truths", ("fer2013", "ferplus")))
    stages = ", then ".join(f"{stage['epochs']} epochs on crops of {stage['crop']} px" for stage in config["stages"])
    parts = [
        f"base and linear heads for {truths} trained together, {stages}",
        f"SGD with Nesterov momentum {chosen['momentum']:g}, peak rate {chosen['peak']:g} after a warm-up of "
        f"{chosen['warmup_epochs']:g} epochs, cosine decay, batch {chosen['batch']}, weight decay {chosen['weight_decay']:g}, "
        f"gradients clipped at {chosen['clipnorm']:g}",
        f"label smoothing {loss['smoothing']:g}, dropout {loss['dropout']:g}",
        "augmented by " + ", ".join(f"{name} {value:g}" for name, value in augment.items() if value) + " and mirroring",
        f"moving average of weights at {chosen['ema']:g}" if chosen.get("ema") else "",
        f"the finished weights are {chosen['start_share']:.0%} those that it began from" if chosen.get("start_share") else "",
        f"{loss['soft']:.0%} of the target from teachers' answers" if loss.get("soft") else "",
        f"precision {config['precision']}" if config.get("precision") else "",
        f"a rehearsal on {config['limit']:,} faces" if config.get("limit") else "",
    ]
    return "; ".join(part for part in parts if part) + "."


def begun_from(begun: dict[str, Any] | None) -> str:
    """A base's lineage, its own predecessors included; empty for one that was trained from random weights."""
    told = []
    while begun:
        told.append(f"{begun['name']} {begun.get('version', '')}".strip() + f" ({begun['licence']})")
        begun = begun.get("begun")
    return f"{', itself begun from '.join(told)}." if told else ""
