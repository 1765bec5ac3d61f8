"""VGG-16 and ResNet-18 for grey faces, and their export to files that Keras can be given."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .arrays import write_arrays
from .data import CLASSES, PackedFaces

EPSILON, MOMENTUM = 1e-3, 0.1
"""Of batch norm, as in scripts.train.networks (Keras counts the momentum of the old statistics: 0.9)."""
VGG_FILTERS, VGG_BLOCKS = (64, 128, 256, 512, 512), (2, 2, 3, 3, 3)


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, filters: int, side: int = 3, stride: int = 1, relu: bool = True) -> None:
        conv = nn.Conv2d(inputs, filters, side, stride, side // 2, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        super().__init__(conv, nn.BatchNorm2d(filters, EPSILON, MOMENTUM), *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBlock(inputs, filters, 3, stride), ConvBlock(filters, filters, relu=False))
        nn.init.zeros_(self.body[1][1].weight)
        same = stride == 1 and inputs == filters
        self.shortcut = nn.Identity() if same else ConvBlock(inputs, filters, 1, stride, relu=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


class ExpressionNet(nn.Module):
    """Grey faces (N, 1, S, S) 0..255 -> logits (N, 14): seven of the labels, seven of the votes.

    `kind`: "vgg16", or "resnet18" whose stem keeps the resolution. `width` multiplies, `divisor` divides the channels (tests).
    """

    def __init__(self, kind: str, dropout: float, width: float = 1.0, divisor: int = 1) -> None:
        super().__init__()

        def channels(count: int) -> int:
            return max(round(count * width) // divisor, 4)

        parts: list[nn.Module] = []
        if kind == "vgg16":
            inputs = 1
            for filters, count in zip(VGG_FILTERS, VGG_BLOCKS, strict=True):
                for _ in range(count):
                    parts.append(ConvBlock(inputs, channels(filters)))
                    inputs = channels(filters)
                parts.append(nn.MaxPool2d(2))
        elif kind == "resnet18":
            inputs = channels(64)
            parts.append(ConvBlock(1, inputs))
            for stage, filters in enumerate((64, 128, 256, 512)):
                for block in range(2):
                    parts.append(Residual(inputs, channels(filters), 2 if stage and not block else 1))
                    inputs = channels(filters)
        else:
            raise ValueError(f"kind must be vgg16 or resnet18, not {kind!r}")
        self.backbone, self.dropout, self.heads = nn.Sequential(*parts), nn.Dropout(dropout), nn.Linear(inputs, 2 * CLASSES)
        self.frozen = 0
        """Modules of the backbone, from its input on, that training leaves as they are."""
        self.folded: list[nn.Sequential] = []
        """These modules with each batch norm folded into its convolution, which is faster; no part of the state."""

    def freeze(self, blocks: int) -> ExpressionNet:
        """Keep weights and batch-norm statistics of the first blocks of a VGG-16, each of which ends with a pooling."""
        pools = [number for number, module in enumerate(self.backbone) if isinstance(module, nn.MaxPool2d)]
        self.frozen = pools[blocks - 1] + 1 if blocks else 0
        self.train(self.training).backbone[: self.frozen].requires_grad_(False)
        self.folded = []
        for module in self.backbone[: self.frozen]:
            layers = (
                [fuse_conv_bn_eval(module[0], module[1]), nn.ReLU(inplace=True)] if isinstance(module, ConvBlock) else [module]
            )
            self.folded.append(nn.Sequential(*layers))
        return self

    def train(self, mode: bool = True) -> ExpressionNet:
        super().train(mode)
        self.backbone[: self.frozen].eval()
        return self

    def placed(self, device: torch.device) -> ExpressionNet:
        """The network on a device, its weights in channels-last layout (on a CPU with AMX five times as fast in bfloat16)."""
        return self.to(device, memory_format=torch.channels_last)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bottleneck features (N, F)."""
        x = (pixels / 64 - 2).contiguous(memory_format=torch.channels_last)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            for module in self.folded:
                x = module(x)
        return self.backbone[self.frozen :](x).float().mean((2, 3))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        features = self.dropout(self.features(pixels))
        with torch.autocast(pixels.device.type, enabled=False):  # logits in float32
            return self.heads(features)


def restore(arrays: dict[str, np.ndarray], dropout: float = 0.0) -> ExpressionNet:
    """The VGG-16 that `export` wrote. Raises ValueError if the arrays are not those of a VGG-16 of one width."""
    net = ExpressionNet("vgg16", dropout, arrays["00-kernel"].shape[3] / VGG_FILTERS[0])
    blocks = [block for block in net.backbone if isinstance(block, ConvBlock)]
    state = {"heads.weight": arrays["heads-kernel"].T, "heads.bias": arrays["heads-bias"]}
    names = dict(zip(("gamma", "beta", "mean", "variance"), ("weight", "bias", "running_mean", "running_var"), strict=True))
    for number, block in enumerate(blocks):
        place = f"backbone.{list(net.backbone).index(block)}"
        state[f"{place}.0.weight"] = arrays[f"{number:02}-kernel"].transpose(3, 2, 0, 1)
        state |= {f"{place}.1.{theirs}": arrays[f"{number:02}-{ours}"] for ours, theirs in names.items()}
    current = net.state_dict()
    if wrong := [key for key, value in state.items() if tuple(current[key].shape) != value.shape]:
        raise ValueError(f"{wrong[0]} has shape {state[wrong[0]].shape}, this VGG-16 needs {tuple(current[wrong[0]].shape)}")
    net.load_state_dict({key: torch.tensor(value, dtype=torch.float32) for key, value in state.items()}, strict=False)
    return net.eval()


def export(net: ExpressionNet, faces: PackedFaces, folder: Path, name: str, max_bytes: int = 15 << 20) -> None:
    """Write float16 kernels in Keras' order and float32 norms as `<name>-<number>.npz`, each of at most about `max_bytes`.

    Sixteen validation faces and their features go along, by which `import_run` checks the imported network.
    """
    net = copy.deepcopy(net).cpu().eval()
    rows = faces.rows("validation", 0)[:16]
    pixels = faces.pixels[rows].cpu()
    with torch.no_grad():
        features = net.features(pixels[:, None].float()).numpy()
    arrays = {"sample-pixels": pixels.numpy(), "sample-features": features}
    arrays |= {"heads-kernel": net.heads.weight.detach().numpy().T, "heads-bias": net.heads.bias.detach().numpy()}
    for number, (conv, norm, *_) in enumerate(block for block in net.backbone if isinstance(block, ConvBlock)):
        arrays[f"{number:02}-kernel"] = conv.weight.detach().permute(2, 3, 1, 0).numpy().astype(np.float16)
        for key, value in (
            ("gamma", norm.weight),
            ("beta", norm.bias),
            ("mean", norm.running_mean),
            ("variance", norm.running_var),
        ):
            arrays[f"{number:02}-{key}"] = value.detach().numpy()
    total = sum(array.nbytes for array in arrays.values())
    parts: list[dict[str, np.ndarray]] = [{} for _ in range(-(-total // max_bytes))]
    for key, value in sorted(arrays.items(), key=lambda item: -item[1].nbytes):
        min(parts, key=lambda part: sum(array.nbytes for array in part.values()))[key] = value
    for number, part in enumerate(parts):
        write_arrays(folder / f"{name}-{number}.npz", part)
