"""Augmentation on the GPU: alignment, affine warp, light, occlusion, blur, noise, JPEG.

Nothing here copies from the host or reads a value back, so that a CUDA graph can hold it.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from .config import Recipe


def compose(outer: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """Affine maps (N, 2, 3) -> the maps that apply `inner`, then `outer`."""
    axes = outer[:, :, :2] @ inner[:, :, :2]
    return torch.cat([axes, outer[:, :, :2] @ inner[:, :, 2:] + outer[:, :, 2:]], dim=2)


def warp(images: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """Sample images (N, 1, S, S) by theta (N, 2, 3); beyond the edge its pixels repeat, as in serving."""
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


class Augment:
    """Random views of faces, for one recipe and face size."""

    def __init__(self, recipe: Recipe, size: int, device: torch.device) -> None:
        self.recipe, self.size, self.device = recipe, size, device
        index = torch.arange(8, dtype=torch.float32)
        dct = torch.cos((2 * index[None, :] + 1) * index[:, None] * math.pi / 16) / 2
        dct[0] /= math.sqrt(2)
        self.dct, self.quantisation = dct.to(device), (8 + 6 * (index[:, None] + index)).to(device)
        self.identity = torch.eye(2, 3, device=device)[None]
        self.axis = torch.arange(size, dtype=torch.float32, device=device)

    def uniform(self, count: int, low: float, high: float) -> torch.Tensor:
        """Random numbers (count, 1, 1, 1)."""
        return torch.rand(count, 1, 1, 1, device=self.device) * (high - low) + low

    def chosen(self, count: int, probability: float) -> torch.Tensor:
        """Mask (count, 1, 1, 1)."""
        return self.uniform(count, 0, 1) < probability

    def __call__(self, images: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        """Faces (N, 1, S, S) float 0..255 and their alignments (N, 2, 3) -> augmented faces of the same shape."""
        n = len(images)
        theta = torch.where(self.chosen(n, self.recipe.aligned)[:, 0], theta, self.identity)
        x = warp(images, compose(theta, self.random_affine(n)))
        x = self.random_light(x)
        x = self.random_noise(self.random_blur(self.random_erasing(x)))
        return self.random_jpeg(x) if self.recipe.jpeg else x

    def random_affine(self, n: int) -> torch.Tensor:
        """Rotation, scale, shift and a mirror image for half of the faces, (N, 2, 3)."""
        r, move = self.recipe, 2 * self.recipe.shift / self.size
        angle = self.uniform(n, -r.rotation, r.rotation) * (math.pi / 180)
        zoom = 1 / (1 + self.uniform(n, -r.scale, r.scale))
        flip = self.chosen(n, 0.5).float() * 2 - 1
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        rows = [cos * flip, -sin, self.uniform(n, -move, move), sin * flip, cos, self.uniform(n, -move, move)]
        return torch.stack([row.flatten() for row in rows], dim=1).view(n, 2, 3)

    def random_light(self, x: torch.Tensor) -> torch.Tensor:
        """Contrast, brightness and, for some, a linear gradient of up to 70 grey levels across the face."""
        n, limit = len(x), self.recipe.brightness
        gain, offset = 1 + self.uniform(n, -limit, limit), 128 * self.uniform(n, -limit, limit)
        x = ((x - 128) * gain + 128 + offset).clamp(0, 255)
        angle = self.uniform(n, 0, 2 * math.pi)
        height = self.uniform(n, 0, 70) * self.chosen(n, self.recipe.gradient)
        line = self.axis / (self.size - 1) - 0.5
        ramp = torch.cos(angle) * line.view(1, 1, 1, -1) + torch.sin(angle) * line.view(1, 1, -1, 1)
        return (x + height * ramp).clamp(0, 255)

    def random_erasing(self, x: torch.Tensor) -> torch.Tensor:
        """A rectangle of one grey level or of its left edge's pixels (random erasing, Zhong et al. 2020)."""
        n = len(x)

        def interval() -> tuple[torch.Tensor, torch.Tensor]:
            length = self.uniform(n, 0.1, 0.35) * self.size
            start = self.uniform(n, 0, 1) * (self.size - length)
            return start, (self.axis >= start) & (self.axis < start + length)

        (left, across), (_, down) = interval(), interval()
        patch = across & down.transpose(2, 3) & self.chosen(n, self.recipe.erase)
        edge = x.gather(3, left.long().expand(n, 1, self.size, 1))
        return torch.where(patch, torch.where(self.chosen(n, 0.5), edge, self.uniform(n, 0, 255)), x)

    def random_blur(self, x: torch.Tensor) -> torch.Tensor:
        """Some faces mixed with themselves at half or a third of the resolution."""
        n = len(x)
        half, third = (
            F.interpolate(F.avg_pool2d(x, step), size=x.shape[2:], mode="bilinear", align_corners=False) for step in (2, 3)
        )
        low = torch.where(self.chosen(n, 0.6), half, third)
        return torch.lerp(x, low, self.uniform(n, 0, 1) * self.chosen(n, self.recipe.blur))

    def random_noise(self, x: torch.Tensor) -> torch.Tensor:
        """Some faces with Gaussian noise of a deviation of up to 15 grey levels, mostly less."""
        n = len(x)
        deviation = 15 * self.uniform(n, 0, 1) ** 2 * self.chosen(n, self.recipe.noise)
        return (x + deviation * torch.randn_like(x)).clamp(0, 255)

    def random_jpeg(self, x: torch.Tensor) -> torch.Tensor:
        """Some faces with the quantised DCT coefficients of JPEG's blocks of 8 x 8 pixels."""
        n, side = len(x), self.size // 8
        blocks = self.dct @ (x - 128).view(n, side, 8, side, 8).transpose(2, 3) @ self.dct.T
        strength = self.uniform(n, 0.1, 1) * self.chosen(n, self.recipe.jpeg)
        steps = 1 + strength[..., None] * self.quantisation
        blocks = self.dct.T @ ((blocks / steps).round() * steps) @ self.dct
        return (blocks.transpose(2, 3).reshape(n, 1, self.size, self.size) + 128).clamp(0, 255)
