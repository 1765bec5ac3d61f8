"""Hats, crowns, turbans and headscarves."""

from __future__ import annotations

import numpy as np

from .fitting import CENTER, Fit, directions
from .parts import Part
from .regions import RIMS
from .scarf import headscarf
from .shapes3d import Color, Mesh, Noise, ellipsoids, joined, mirrored, resampled, sheet, smoothstep, tubes, unit, varied

HAT_STYLES = (
    "none", "beanie", "pompom", "cap", "cap_back", "fedora", "sunhat", "beret", "crown", "helmet", "viking", "turban", "party",
    "witch", "headband", "headphones", "headscarf",
)  # fmt: skip
COLUMNS = 64
SAME_RIM = {"pompom": "beanie", "viking": "helmet", "headphones": "none", "party": "none"}


def rim_of(style: str) -> str:
    """The key of regions.RIMS for a hat, or "none": what `hair` takes as `under`."""
    return SAME_RIM.get(style, style)


def rim_line(fit: Fit, hat: str, height: float, lower: float = 0.0, columns: int = COLUMNS) -> np.ndarray:
    """Closed curve (columns, 3) on the mean head where a hat's rim lies, `height` over the skin; `lower` moves it down, in cm."""
    front, slope = RIMS[hat]
    azimuth = np.arange(columns) * 2 * np.pi / columns
    elevation = np.full(columns, 0.4)
    for _ in range(6):  # the elevation at which the hull meets the rim's plane
        points = fit.mean.lifted(CENTER + directions(elevation, azimuth), height)
        wanted = front - lower + slope * (points[:, 2] - 9)
        elevation = elevation + (wanted - points[:, 1]) / np.linalg.norm(points - CENTER, axis=1)
    return fit.mean.lifted(CENTER + directions(elevation, azimuth), height)


def dome(
    fit: Fit, hat: str, height: float, rows: int = 14, top: float = 0.0, columns: int = COLUMNS, lower: float = 0.0
) -> np.ndarray:
    """Grid (rows, columns, 3) from a rim's line to the crown, `height` over the skin and `top` more at the crown."""
    rim = rim_line(fit, hat, height, lower, columns)
    offsets = rim - CENTER
    start = np.arcsin(offsets[:, 1] / np.linalg.norm(offsets, axis=1))
    azimuth = np.arctan2(offsets[:, 0], offsets[:, 2])
    share = np.linspace(0, 0.985, rows)[:, None]
    elevation = start + (np.pi / 2 - start) * share
    grid = directions(elevation, azimuth[None] + 0 * elevation)
    return fit.mean.lifted(CENTER + grid, height + top * share)


def _closed_dome(points: np.ndarray, color: Color) -> Mesh:
    """A dome's grid as a mesh, its top closed with a point and its rim turned inwards."""
    inward = points[:1] + (CENTER + [0, 3, 0] - points[:1]) * 0.12
    top = np.broadcast_to(points[-1].mean(axis=0), points[:1].shape)
    colors = np.broadcast_to(np.asarray(color, np.float32), points.shape)
    return sheet(np.concatenate([inward, points, top]), np.concatenate([colors[:1], colors, colors[-1:]]), True)


def _band(points: np.ndarray, width: float, thick: float, color: Color, sides: int = 10) -> Mesh:
    """A band along a closed curve (K, 3), `width` high."""
    outward = unit(points - points.mean(axis=0)) * np.array([1, 0, 1])
    color = np.asarray(color, np.float32)
    across = np.cross(outward, np.gradient(points, axis=0))
    return tubes(points[None].astype(np.float32), across[None], width / 2, thick, color, sides, True)


def hat(fit: Fit, style: str, color: Color, random: np.random.Generator, second: Color | None = None) -> list[Part]:
    """A hat of a style of HAT_STYLES.

    Args:
        fit: the head.
        style: one of HAT_STYLES.
        color: sRGB in 0..1.
        random: decides folds and small differences.
        second: the color of bands and ornaments; otherwise a darker `color`.

    Raises:
        ValueError: an unknown style.
    """
    if style not in HAT_STYLES:
        raise ValueError(f"unknown style of hats: {style!r}")
    if style == "none":
        return []
    second = varied(color, -0.35) if second is None else np.asarray(second, np.float32)
    return _MAKERS[style](fit, np.asarray(color, np.float32), second, random)


def _beanie(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    points = dome(fit, "beanie", 1.0, 14, 0.8, 96)
    rib = np.where(np.arange(96) % 2 == 0, 1.0, -1.0)
    points = fit.mean.lifted(points, fit.mean.height(points) + 0.05 * rib)
    cap = _closed_dome(points, varied(color, np.broadcast_to(0.06 * rib - 0.04, points.shape[:2])))
    line = rim_line(fit, "beanie", 1.05, -0.8, 96)
    line = line + unit(line - CENTER) * (0.06 * rib[:, None])
    fold = _band(line, 3.2, 0.5, varied(second, 0.08 * rib - 0.03))
    return [fit.part(joined([cap, fold]), "cloth")]


def _pompom(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    ball = ellipsoids(np.array([[0, 17.8, -0.5]]), np.full((1, 3), 2.0), second, 14, 20)
    rough = Noise(random, 0.7)(ball.points)[:, None] * 0.22
    points = ball.points + unit(ball.points - [0, 17.8, -0.5]) * rough
    ball = Mesh(points.astype(np.float32), ball.triangles, varied(second, 0.4 * rough[:, 0]))
    return [*_beanie(fit, color, second, random), fit.part(ball, "cloth")]


def _cap(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator, back: bool = False) -> list[Part]:
    hat = "cap_back" if back else "cap"
    points = dome(fit, hat, 1.0, 14, 0.5)
    panel = np.abs(np.sin(np.arange(COLUMNS) * 3 * 2 * np.pi / COLUMNS)) < 0.15
    crown = _closed_dome(points, varied(color, np.broadcast_to(np.where(panel, -0.2, 0.0), points.shape[:2])))
    button = ellipsoids(points[-1].mean(axis=0)[None], np.array([[0.7, 0.35, 0.7]]), second, 6, 12)
    turn = -1 if back else 1
    angle = np.linspace(-1.0, 1.0, 25)
    index = np.round((angle / (2 * np.pi) + (0.5 if back else 0)) * 400).astype(int) % 400
    line = rim_line(fit, hat, 0.85, 0, 400)[index]
    share = np.linspace(0, 1, 8)[:, None, None]
    ahead = np.stack([np.sin(angle) * 1.2, 0 * angle, turn * 5.6 * np.cos(angle * 1.35) ** 0.8], -1)
    rise = np.array([0, 1.0, 0]) * (0.9 * np.sin(share * 1.5) - 0.03 * (angle[None, :, None] * 4.5) ** 2 * share)
    top = line[None] + ahead[None] * share + rise + [0, 0.25, 0]
    visor = _slab(top, 0.32, second)
    band = _band(rim_line(fit, hat, 0.9, -0.2), 1.1, 0.22, varied(color, -0.15))
    return [fit.part(joined([crown, button, visor, band]), "cloth")]


def _cap_back(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    return _cap(fit, color, second, random, True)


def _slab(top: np.ndarray, thick: float, color: Color, closed: bool = False) -> Mesh:
    """A plate under a grid of points (rows, columns, 3) that runs from the head outwards."""
    below = top - np.array([0, thick, 0])
    wrapped = np.concatenate([top[:1] * 0.5 + below[:1] * 0.5, top, below[::-1], top[:1] * 0.5 + below[:1] * 0.5])
    if not closed:  # both ends close to their middle line
        ends = (wrapped + wrapped[::-1]) / 2
        wrapped = np.concatenate([ends[:, :1], wrapped, ends[:, -1:]], axis=1)
    return sheet(wrapped.astype(np.float32), color, closed, flip=True)


def _brimmed(
    fit: Fit, hat: str, color: np.ndarray, second: np.ndarray, crown: np.ndarray, brim: float, curl: float, sag: float
) -> list[Part]:  # fmt: skip
    line = rim_line(fit, hat, 0.8, -0.2)
    outward = unit((line - line.mean(axis=0)) * np.array([1, 0, 1]))
    share = np.linspace(0, 1, 8)[:, None, None]
    side = np.abs(outward[:, 0])[None, :, None]
    rise = np.array([0, 1.0, 0]) * (curl * share**2 * (0.4 + side) - sag * share**1.5 * (1 - side))
    front = smoothstep(outward[:, 2], 0.2, 1)[None, :, None]
    rise = rise + np.array([0, 1.0, 0]) * front * share * 0.9  # the brim must not hide the brows from slightly above
    top = line[None] + outward[None] * brim * share + rise
    plate = _slab(top, 0.3, color, True)
    ribbon = _band(rim_line(fit, hat, 1.2, -1.2), 1.9, 0.25, second)
    return [fit.part(joined([_closed_dome(crown, color), plate, ribbon]), "cloth")]


def _fedora(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    crown = dome(fit, "fedora", 1.05, 16, 0.0)
    height = np.linspace(0, 1, 16)[:, None]
    lift = 3.2 * smoothstep(height, 0.0, 0.75)
    dent = 1.3 * np.exp(-((crown[..., 0] / 1.8) ** 2)) * smoothstep(height, 0.55, 0.95)
    crown = crown + np.array([0, 1.0, 0]) * (lift - dent)[..., None]
    return _brimmed(fit, "fedora", color, second, crown.astype(np.float32), 4.4, 1.5, 0.2)


def _sunhat(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    return _brimmed(fit, "sunhat", color, second, dome(fit, "sunhat", 1.05, 16, 1.4), 7.0, 0.6, 0.7)


def _witch(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    crown = dome(fit, "witch", 1.05, 18, 0.0)
    height = np.linspace(0, 1, 18)[:, None]
    middle = crown[-1].mean(axis=0)
    bend = random.choice([-1, 1]) * 3.0 * height**3
    shrink = np.interp(height, [0, 0.4, 1], [1, 0.62, 0.04])
    cone = np.empty_like(crown)
    cone[..., 0] = crown[0, :, 0] * shrink + bend
    cone[..., 2] = middle[2] + (crown[0, :, 2] - middle[2]) * shrink
    cone[..., 1] = crown[0, :, 1] * (1 - height) + (middle[1] + 9.5) * height + 2.0 * np.sin(height * np.pi)
    return _brimmed(fit, "witch", color, second, cone, 6.5, 0.8, 0.6)


def _beret(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    side = random.choice([-1, 1])
    share = np.linspace(0, 1, 16)[:, None, None]
    line = rim_line(fit, "beret", 0.8)
    middle = line.mean(axis=0)
    radial = line - middle
    reach = np.interp(share, [0, 0.2, 0.45, 0.7, 1], [1.0, 1.25, 1.32, 1.0, 0.02])
    rise = np.interp(share, [0, 0.2, 0.45, 0.7, 1], [0.0, 1.2, 3.8, 7.0, 8.2])
    slope = -0.16 * side * radial[None, :, :1] * smoothstep(share, 0, 0.4)[..., :1]
    shift = np.array([1.6 * side, 0, -0.8]) * smoothstep(share, 0, 0.4)
    points = middle + radial * reach + np.array([0, 1.0, 0]) * (rise + slope) + shift
    points = points + unit(radial)[None] * 0.15 * Noise(random, 4.0)(points)[..., None] * smoothstep(share, 0, 0.2)
    top = points[-1].mean(axis=0)
    stem = tubes(np.stack([top, top + [0, 1.0, 0]])[None].astype(np.float32), np.array([1.0, 0, 0]), 0.22, 0.22, color, 8)
    band = _band(rim_line(fit, "beret", 0.8), 1.1, 0.25, second)
    return [fit.part(joined([_closed_dome(points.astype(np.float32), color), stem, band]), "cloth")]


def _crown(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    columns, rows, spikes = 96, 8, 8
    line = rim_line(fit, "crown", 1.0, 0, columns)
    outward = unit((line - line.mean(axis=0)) * np.array([1, 0, 1]))
    phase = np.arange(columns) * spikes / columns % 1
    tall = 2.0 + 2.6 * (1 - np.abs(phase - 0.5) * 2)
    share = np.linspace(0, 1, rows)[:, None, None]
    outside = line[None] + np.array([0, 1.0, 0]) * tall[None, :, None] * share + outward[None] * 0.9 * share**1.5
    inside = outside - outward[None] * 0.35
    loop = np.concatenate([inside[:1], outside, inside[::-1]])
    ring = sheet(loop.astype(np.float32), color, True)
    peaks = np.arange(spikes) * (columns // spikes) + columns // spikes // 2
    tips, gems = outside[-1, peaks], line[peaks] + np.array([0, 1.0, 0]) + 0.2 * outward[peaks]
    balls = ellipsoids(tips + [0, 0.1, 0], np.full((1, 3), 0.5), color, 7, 10)
    return [
        fit.part(joined([ring, balls]), "metal"),
        fit.part(ellipsoids(gems, np.full((1, 3), 0.55), second, 7, 10), "plastic"),
    ]


def _helmet(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    shell = _closed_dome(dome(fit, "helmet", 1.1, 14, 0.6), color)
    band = _band(rim_line(fit, "helmet", 1.2, -0.4), 1.5, 0.3, second)
    share = np.linspace(-1.05, 1.05, 25)
    ridge = fit.mean.lifted(CENTER + directions(np.pi / 2 - np.abs(share), np.where(share > 0, 0, np.pi)), 1.7)
    strip = tubes(ridge[None], np.array([1.0, 0, 0]), 0.7, 0.25, second, 8)
    rivets = rim_line(fit, "helmet", 1.5, -0.4, 16)
    studs = ellipsoids(rivets, np.full((1, 3), 0.28), color, 6, 8)
    return [fit.part(joined([shell, band, strip, studs]), "metal")]


def _viking(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    path = resampled(np.array([(7.4, 10.5, -0.5), (10.5, 10.8, -0.2), (12.8, 13.2, 0.4), (12.6, 16.6, 1.0)], np.float32), 20)
    width = np.interp(np.linspace(0, 1, 20), [0, 0.4, 1], [1.5, 1.2, 0.06])
    ivory = varied((0.9, 0.85, 0.72), np.linspace(0, -0.35, 20))
    horn = tubes(path[None], np.array([0, 0, 1.0]), width, width, ivory, 12)
    return [*_helmet(fit, color, second, random), fit.part(joined([horn, mirrored(horn)]), "plastic")]


def _turban(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    base = _closed_dome(dome(fit, "turban", 1.1, 12, 1.2), varied(color, -0.25))
    wraps = []
    for layer in range(6):
        line = rim_line(fit, "turban", 1.0 - 0.05 * layer, -0.3 - 1.05 * layer)
        slant = 0.15 if layer == 0 else (0.42 if layer % 2 else -0.42) * (1 - layer / 8)
        line[:, 1] += slant * line[:, 0] * smoothstep(line[:, 2], -4, 6)
        wraps.append(_band(line, 2.5, 0.75, varied(color, 0.05 * (-1) ** layer + 0.02 * layer)))
    at = np.array([[0, 12.0, 11.0]], np.float32)
    jewel = ellipsoids(at, np.array([[0.6, 0.8, 0.4]]), second, 8, 12)
    lifted = fit.mean.lifted(jewel.points, fit.mean.height(jewel.points) - fit.mean.height(at) + 1.9)
    return [
        fit.part(joined([base, *wraps]), "cloth"),
        fit.part(Mesh(lifted, jewel.triangles, jewel.colors), "plastic"),
    ]


def _party(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    angle, share = np.arange(40) * 2 * np.pi / 40, np.linspace(0, 1, 14)[:, None]
    radius = 4.6 * (1 - 0.97 * share)
    level = 12.9 + 9.0 * share - 0.1 * (1 - share) * np.cos(angle)
    cone = np.stack([radius * np.sin(angle), level, 0.8 + radius * np.cos(angle)], -1).astype(np.float32)
    stripe = (np.floor((angle / (2 * np.pi) * 5 + share * 3) % 1 * 2) == 0)[..., None]
    colors = np.where(stripe, color, second)
    ball = ellipsoids(np.array([[0, 22.2, 0.8]]), np.full((1, 3), 1.0), second, 9, 12)
    return [fit.part(joined([sheet(cone, colors, True), ball]), "plastic")]


def _headband(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    return [fit.part(_band(rim_line(fit, "headband", 0.95, -0.6), 2.4, 0.4, color), "cloth")]


def _headphones(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    angle = np.linspace(-1.52, 1.52, 40)
    arc = np.stack([np.sin(angle) * 10.0, 3.4 + np.cos(angle) * 12.6, 0.3 + 0 * angle], -1).astype(np.float32)
    bow = tubes(arc[None], np.array([0, 0, 1.0]), 1.0, 0.4, color, 10)
    centers = np.array([[9.8, 2.2, 0.2], [-9.8, 2.2, 0.2], [8.7, 2.2, 0.2], [-8.7, 2.2, 0.2]], np.float32)
    radii = np.array([[1.1, 3.4, 3.2]] * 2 + [[1.3, 3.0, 2.8]] * 2)
    cups = ellipsoids(centers, radii, np.stack([color, color, second, second]), 12, 18)
    mesh = joined([bow, cups])
    return [fit.part_here(Mesh(fit.over_ears(fit.warp(mesh.points)), mesh.triangles, mesh.colors), "plastic")]


def _headscarf(fit: Fit, color: np.ndarray, second: np.ndarray, random: np.random.Generator) -> list[Part]:
    return headscarf(fit, color, random)


_MAKERS = {
    "beanie": _beanie, "pompom": _pompom, "cap": _cap, "cap_back": _cap_back, "fedora": _fedora,
    "sunhat": _sunhat, "beret": _beret, "crown": _crown, "helmet": _helmet, "viking": _viking, "turban": _turban, "party": _party,
    "witch": _witch, "headband": _headband, "headphones": _headphones, "headscarf": _headscarf,
}  # fmt: skip
