"""Hair: a cap over the scalp and locks that follow a direction of growth over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .fitting import CENTER, CROWN, Fit, MeanHead, directions, shell
from .parts import Part
from .regions import HAIRLINE, RECEDING, face_clearance, rim_field, scalp_field
from .shapes3d import Noise, ellipsoids, smoothstep, tubes, unit, varied

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Direction (L, 3) of growth at points (L, 3) of locks with roots (L, 3)."""
WHORL = np.array([0.8, 13.2, -5.0], np.float32)
FRINGE_END = 8.3  # height in cm of the mean head where a fringe ends, above the brows
RINGS = 8


@dataclass(frozen=True)
class Style:
    """How hair is made; lengths in cm on the mean head.

    Attributes:
        flow: name of the direction of growth, a key of FLOWS; empty for no locks.
        count: locks on the whole sphere about the head, of which the scalp keeps about half.
        length: length of the locks at the top and at the sides.
        width: half width of a lock.
        cap: height of the cap.
        lift: height of the locks' middle over the skin at the top and at the sides.
        hang: height at which hanging locks end; None for locks that stay on the head.
        curl: amplitude of waves across the lock.
        fringe: whether locks fall over the forehead.
        line: the hairline.
        roundness: half height of a lock by its half width.
    """

    flow: str = ""
    count: int = 420
    length: tuple[float, float] = (4.0, 3.0)
    width: float = 0.85
    cap: float = 0.25
    lift: tuple[float, float] = (0.6, 0.4)
    hang: float | None = None
    curl: float = 0.0
    fringe: bool = False
    line: np.ndarray | None = None
    roundness: float = 0.45


STYLES = {
    "bald": Style(cap=0.0),
    "buzz": Style(cap=0.22),
    "receding": Style("away", 420, (2.5, 2.5), 0.7, 0.2, (0.35, 0.35), line=RECEDING),
    "short": Style("away", 460, (4.0, 3.0), 0.8, 0.4, (0.8, 0.5)),
    "crop": Style("forward", 460, (4.5, 3.0), 0.8, 0.4, (0.8, 0.5), fringe=True),
    "side_part": Style("side_part", 460, (7.5, 4.0), 0.85, 0.4, (1.2, 0.5)),
    "quiff": Style("back", 440, (6.0, 2.6), 0.9, 0.35, (2.6, 0.4)),
    "slicked": Style("back", 440, (7.5, 6.0), 0.75, 0.35, (0.7, 0.45)),
    "curly": Style("blobs", 520, (0.9, 0.8), 0.9, 0.6, (1.2, 0.7)),
    "afro": Style("blobs", 620, (1.25, 1.15), 1.2, 2.2, (3.2, 2.6)),
    "bob": Style("part", 420, (14, 10), 0.95, 0.5, (0.9, 0.9), hang=-6.0),
    "bob_fringe": Style("part", 420, (14, 10), 0.95, 0.5, (0.9, 0.9), hang=-5.0, fringe=True),
    "long": Style("part", 420, (24, 20), 1.0, 0.5, (0.9, 0.8), hang=-14.0),
    "long_fringe": Style("part", 420, (24, 20), 1.0, 0.5, (0.9, 0.8), hang=-13.0, fringe=True),
    "wavy": Style("part", 380, (22, 18), 1.15, 0.6, (1.2, 1.3), hang=-11.5, curl=0.55),
    "dreads": Style("part", 300, (20, 16), 0.55, 0.45, (0.9, 0.9), hang=-10.0, curl=0.2, roundness=1.0),
    "bun": Style("gather", 420, (9, 9), 0.75, 0.35, (0.6, 0.5)),
    "topknot": Style("gather", 420, (9, 9), 0.75, 0.35, (0.6, 0.5)),
    "ponytail": Style("gather", 420, (9, 9), 0.75, 0.35, (0.6, 0.5)),
    "pigtails": Style("gather_sides", 420, (9, 9), 0.75, 0.35, (0.6, 0.5)),
    "mohawk": Style("crest", 900, (5.5, 5.5), 0.75, 0.16, (0.3, 0.3)),
    "spiky": Style("spikes", 330, (4.2, 2.4), 1.15, 0.5, (0.5, 0.4), roundness=0.8),
    "tufts": Style("tufts", 700, (4.0, 4.0), 0.5, 0.0, (0.3, 0.3), roundness=0.8),
}
HAIR_STYLES = tuple(STYLES)
GATHERS = {"bun": (0, 11.5, -10.2), "topknot": (0, 16.4, -2.5), "ponytail": (0, 11.0, -9.8), "pigtails": (7.8, 5.0, -5.2)}
STRAIGHT = ("crest", "spikes", "tufts")


def hair(
    fit: Fit, style: str, color: Sequence[float], random: np.random.Generator, under: str = "none"
) -> list[Part]:  # fmt: skip
    """Hair of a style, one of HAIR_STYLES.

    Args:
        fit: the head.
        style: one of HAIR_STYLES.
        color: sRGB in 0..1.
        random: decides where locks lie and how their colors vary.
        under: the hat worn over it, a key of regions.RIMS, or "none": hair under it lies flat.

    Raises:
        KeyError: an unknown style or hat.
    """
    chosen = STYLES[style]
    if style == "bald" or under in ("headscarf", "turban"):
        return []
    parts = [_cap(fit, chosen, color, random, under)] if chosen.cap > 0 else []
    if chosen.flow == "blobs":
        parts.append(_blobs(fit, chosen, color, random, under))
    elif chosen.flow:
        parts.append(_locks(fit, style, chosen, color, random, under))
        if chosen.fringe:
            parts.append(_fringe(fit, chosen, color, random, under))
    if style in GATHERS and not (under != "none" and style == "topknot"):
        parts += _gathered(fit, style, color, random)
    return parts


def _flattened(points: np.ndarray, heights: np.ndarray, under: str, limit: float = 0.4) -> np.ndarray:
    """Heights over the skin that fit under a hat."""
    if under == "none":
        return heights
    return heights + smoothstep(rim_field(points, under), -1.6, -0.2) * np.minimum(limit - heights, 0)


def _line(style: Style) -> np.ndarray:
    return HAIRLINE if style.line is None else style.line


def _cap(fit: Fit, style: Style, color: Sequence[float], random: np.random.Generator, under: str) -> Part:
    """The layer under the locks, darker than they are; for short hair, all of it."""
    mean = fit.mean
    field = scalp_field(mean.points, _line(style)) + 0.25 * Noise(random, 1.6)(mean.points)
    field[mean.ear] = -1
    bulk = min(style.cap * 1.6 + 0.5, 3.0)
    rise = np.sqrt(np.clip(1 - (1 - np.clip(field / bulk, 0, 1)) ** 2, 0, 1))
    heights = _flattened(mean.points, 0.06 + style.cap * rise, under, 0.25)
    streaks = 0.12 * Noise(random, 0.9)(mean.points) + 0.05 * random.normal(size=len(field))
    shade = streaks - (0.3 if style.flow else 0.05)
    mesh, anchors = shell(fit, field, heights, varied(color, shade))
    return fit.part_here(mesh, "hair", anchors)


def _roots(style: Style, random: np.random.Generator, mean: MeanHead, margin: float = 0.1) -> np.ndarray:
    """Points (L, 3) on the mean head's scalp, spread evenly with some disorder."""
    number = np.arange(style.count) + 0.5
    elevation = np.arcsin(1 - 2 * number / style.count) + random.normal(0, 0.035, style.count)
    azimuth = np.pi * (1 + 5**0.5) * number + random.normal(0, 0.05, style.count)
    points = mean.lifted(CENTER + directions(elevation, azimuth), 0)
    return points[scalp_field(points, _line(style)) > margin]


def _top(points: np.ndarray) -> np.ndarray:
    """Share (...) by which points belong to the top of the head and not to its sides."""
    return smoothstep(points[..., 1], 7.0, 11.5)


def _away(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    return points - WHORL + np.array([0, -1.5, 0], np.float32)


def _forward(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    ahead = np.array([0, -0.3, 1], np.float32)
    behind = unit(points - WHORL) + np.array([0, -0.4, 0], np.float32)
    return ahead + smoothstep(points[:, 2], 1, -4)[:, None] * (behind - ahead)


def _back(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    return np.array([0, -0.35, -1], np.float32) + np.zeros_like(points)


def _side_part(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    side = np.where(roots[:, 0] > 3.0, 1.0, -1.0)
    return np.stack([side, -0.5 - 0.8 * (1 - _top(points)), np.where(roots[:, 2] > 2, 0.15, -0.4)], -1)


def _part(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
    side = np.where(roots[:, 0] > 0.4, 1.0, -1.0)
    over = _top(points) * smoothstep(points[:, 2], -9, -3)
    back = -0.35 * over * smoothstep(roots[:, 2], 0, 6)
    return np.stack([side * over, -1.15 + 0.9 * over, back], -1)


FLOWS: dict[str, Flow] = {
    "away": _away, "forward": _forward, "back": _back, "side_part": _side_part, "part": _part,
}  # fmt: skip


def _flow(name: str, style: str) -> Flow:
    if name in FLOWS:
        return FLOWS[name]
    target = np.array(GATHERS[style], np.float32)
    if name == "gather":
        return lambda points, roots: target - points

    def aside(points: np.ndarray, roots: np.ndarray) -> np.ndarray:
        return target * np.stack([np.where(roots[:, 0] > 0, 1, -1), np.ones(len(roots)), np.ones(len(roots))], -1) - points

    return aside


def _grown(fit: Fit, name: str, style: Style, roots: np.ndarray, random: np.random.Generator, under: str) -> np.ndarray:
    """Curves (L, RINGS, 3) of locks that lie on the head and hang from it."""
    mean, flow = fit.mean, _flow(style.flow, name)
    top = _top(roots)
    lengths = style.length[1] + top * (style.length[0] - style.length[1])
    lengths = lengths * random.uniform(0.8, 1.15, len(roots))
    lifts = (style.lift[1] + top * (style.lift[0] - style.lift[1])) * random.uniform(0.8, 1.2, len(roots))
    if name == "quiff":
        lifts *= 0.35 + 0.75 * smoothstep(roots[:, 2], -2, 6)
    gathers = style.flow.startswith("gather")
    if gathers:
        lengths = np.linalg.norm(flow(roots, roots), axis=1) * 1.15
    stops = None if style.hang is None else style.hang + random.normal(0, 0.5, len(roots))
    points, path = roots, [mean.lifted(roots, 0.05)]
    for ring in range(1, RINGS):
        share = ring / (RINGS - 1)
        outward = unit(points - CENTER)
        direction = flow(points, roots)
        far = np.linalg.norm(direction, axis=1) if gathers else np.full(len(roots), 99.0)
        direction = unit(direction - 0.98 * (direction * outward).sum(1, keepdims=True) * outward)
        step = np.minimum(lengths / (RINGS - 1), far * 0.9 + 0.02)
        if stops is not None:
            step = np.minimum(step, np.maximum(points[:, 1] - stops, 0) / 1.0 + 0.05)
        if not style.fringe and style.hang is None:
            step = step * np.clip((scalp_field(points) + 0.6) / 0.8, 0.04, 1)
        points = points + direction * step[:, None]
        rise = np.sin(min(share * 1.6, 1) * np.pi / 2) if name != "quiff" else np.sin(share * np.pi) ** 0.7
        wanted = _flattened(points, 0.08 + lifts * rise, under)
        lifted = mean.lifted(points, wanted)
        if style.hang is not None:
            free = (points[:, 1] < 5) & (mean.height(points) > wanted)
            lifted = np.where(free[:, None], points, lifted)
            clear = face_clearance(lifted)
            lifted[:, 0] = np.where(np.abs(lifted[:, 0]) < clear, np.where(roots[:, 0] > 0.4, clear, -clear), lifted[:, 0])
        points = lifted
        path.append(points)
    return np.stack(path, axis=1)


def _raised(fit: Fit, style: Style, roots: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Curves (L, RINGS, 3) of locks that stand off the head."""
    outward = unit(roots - CENTER)
    lengths = style.length[1] + _top(roots) * (style.length[0] - style.length[1])
    lengths = (lengths * random.uniform(0.75, 1.2, len(roots)))[:, None, None]
    lean = np.array([0, 0.55, -0.1]) if style.flow != "crest" else np.array([0, 0.1, -0.45])
    heading = unit(outward + lean + random.normal(0, 0.16, roots.shape))
    bend = unit(np.cross(heading, random.normal(size=roots.shape))) if style.flow == "tufts" else np.array([[0, 0, -1.0]])
    share = np.linspace(0, 1, RINGS)[None, :, None]
    bow = (0.45 if style.flow == "tufts" else 0.12) * share**2 * lengths
    return (roots[:, None] + heading[:, None] * share * lengths * (1 - 0.3 * share * (style.flow == "tufts"))
            + bend[:, None] * bow).astype(np.float32)  # fmt: skip


def _locks(fit: Fit, name: str, style: Style, color: Sequence[float], random: np.random.Generator, under: str) -> Part:
    roots = _roots(style, random, fit.mean, 0.3 if style.flow in STRAIGHT else 0.1)
    if style.flow == "crest":
        roots = roots[(np.abs(roots[:, 0]) < 1.3) & (roots[:, 1] > 1)]
    if style.flow == "tufts":
        near = np.linalg.norm(roots - [0, 14.2, 1.5], axis=1)
        roots = roots[np.argsort(near)[: random.integers(6, 13)]]
    if under != "none" and style.flow in STRAIGHT:
        roots = roots[rim_field(roots, under) < -1.0] if (rim_field(roots, under) < -1.0).any() else roots[:1]
    paths = _raised(fit, style, roots, random) if style.flow in STRAIGHT else _grown(fit, name, style, roots, random, under)
    return _strands(fit, style, paths, color, random)


def _strands(fit: Fit, style: Style, paths: np.ndarray, color: Sequence[float], random: np.random.Generator) -> Part:
    """Tapered tubes along curves (L, RINGS, 3), each with its own shade, darker at the root."""
    count, share = len(paths), np.linspace(0, 1, paths.shape[1])
    outward = unit(paths - CENTER)
    across = np.cross(outward, np.gradient(paths, axis=1))
    if style.flow in STRAIGHT:
        across = np.broadcast_to(np.array([0, 0, 1.0]), paths.shape)
    if style.curl:
        phase = (
            random.uniform(0, 2 * np.pi, (count, 1)) * 0.4
            + np.cumsum(np.linalg.norm(np.diff(paths, axis=1, prepend=paths[:, :1]), axis=2), axis=1) * 1.1
        )
        paths = paths + unit(across) * (style.curl * np.sin(phase) * smoothstep(share, 0.1, 0.6))[..., None]
    if style.flow in STRAIGHT:
        profile = np.clip(1 - share, 0.02, 1) ** 0.8
    elif style.roundness >= 1:
        profile = np.clip(0.9 + 0.12 * np.sin(np.arange(len(share)) * 2.4), 0, 2) * np.where(share == 1, 0.45, 1)
    else:
        profile = np.interp(share, [0, 0.25, 0.6, 0.85, 1], [0.45, 0.95, 1, 0.75, 0.12])
    sizes = style.width * random.uniform(0.75, 1.2, (count, 1))
    shade = random.normal(0, 0.09, (count, 1)) + np.interp(share, [0, 0.35, 1], [-0.22, 0, 0.08])
    mesh = tubes(paths, across, sizes * profile, sizes * profile * style.roundness, varied(color, shade), 6)
    return fit.part(mesh, "hair", CROWN)


def _fringe(fit: Fit, style: Style, color: Sequence[float], random: np.random.Generator, under: str) -> Part:
    """Locks that fall from above over the forehead and end above the brows."""
    x = np.linspace(-5.6, 5.6, 17) + random.normal(0, 0.12, 17)
    share = np.linspace(0, 1, RINGS)
    end = FRINGE_END + 0.25 * np.abs(x) * 0.3 + random.normal(0, 0.18, 17)
    top = 12.8 - 0.05 * x**2
    y = top[:, None] + (end - top)[:, None] * share
    spread = x[:, None] * (0.75 + 0.3 * share) + random.normal(0, 0.15, (17, 1)) * share
    z = np.full_like(y, 6.0) - 0.12 * spread**2 + 3 * share
    heights = _flattened(np.stack([spread, y, z], -1), 0.5 + 0.45 * np.sin(share * 2.4) + 0 * y, under)
    paths = fit.mean.lifted(np.stack([spread, y, z], -1).astype(np.float32), heights)
    return _strands(fit, style, paths, color, random)


def _blobs(fit: Fit, style: Style, color: Sequence[float], random: np.random.Generator, under: str) -> Part:
    """Curls as overlapping balls."""
    roots = _roots(style, random, fit.mean, 0.2)
    field = scalp_field(roots)
    lift = style.lift[1] + _top(roots) * (style.lift[0] - style.lift[1])
    rise = np.sqrt(np.clip(1 - (1 - np.clip(field / (style.lift[0] + 0.6), 0, 1)) ** 2, 0, 1))
    sizes = (style.length[1] + _top(roots) * (style.length[0] - style.length[1])) * random.uniform(0.75, 1.2, len(roots))
    heights = _flattened(roots, lift * (0.25 + 0.75 * rise) * random.uniform(0.85, 1.1, len(roots)), under, 0.1)
    if under != "none":
        sizes = sizes * (1 - 0.6 * smoothstep(rim_field(roots, under), -1.6, -0.2))
    centers = fit.mean.lifted(roots, heights - 0.35 * sizes)
    radii = sizes[:, None] * random.uniform(0.85, 1.15, (len(roots), 3))
    shades = varied(color, random.normal(0, 0.1, len(roots)))
    return fit.part(ellipsoids(centers, radii, shades, 6, 8), "hair", CROWN)


def _gathered(fit: Fit, style: str, color: Sequence[float], random: np.random.Generator) -> list[Part]:
    """The bun, knot or tail where the hair is gathered, with its band."""
    target = fit.mean.lifted(np.array([GATHERS[style]], np.float32), 0.5)[0]
    sides = (1, -1) if style == "pigtails" else (1,)
    parts = []
    for side in sides:
        at = target * np.array([side, 1, 1], np.float32)
        outward = unit(at - CENTER)
        if style in ("bun", "topknot"):
            parts.append(_knot(fit, at + outward * 1.6, outward, 2.6 if style == "bun" else 2.1, color, random))
        else:
            parts.append(_tail(fit, at, outward, style, color, random))
    return parts


def _knot(fit: Fit, at: np.ndarray, axis: np.ndarray, size: float, color: Sequence[float], random: np.random.Generator) -> Part:
    """A ball of strands wound about its axis."""
    count, share = 14, np.linspace(0, 1, 12)
    first = unit(np.cross(axis, [0.3, 0.2, 1]))
    second = np.cross(axis, first)
    latitude = np.linspace(-1.0, 1.35, count)[:, None] + 0.3 * np.sin(share * np.pi) + random.normal(0, 0.05, (count, 1))
    turn = random.uniform(0, 2 * np.pi, (count, 1)) + share * 4.4
    radial = np.cos(latitude)[..., None] * (np.cos(turn)[..., None] * first + np.sin(turn)[..., None] * second)
    paths = at + size * (radial + np.sin(latitude)[..., None] * axis * 0.85)
    across = np.cross(unit(paths - at), np.gradient(paths, axis=1))
    profile = np.interp(share, [0, 0.3, 0.7, 1], [0.3, 1, 1, 0.3])
    shade = varied(color, random.normal(0, 0.1, (count, 1)) + 0 * share)
    mesh = tubes(paths.astype(np.float32), across, 0.55 * profile, 0.35 * profile, shade, 6)
    core = ellipsoids(at[None], np.full((1, 3), size * 0.97), varied(color, np.array([-0.25])), 10, 14)
    from .shapes3d import joined

    return fit.part(joined([core, mesh]), "hair", CROWN)


def _tail(fit: Fit, at: np.ndarray, outward: np.ndarray, style: str, color: Sequence[float], random: np.random.Generator) -> Part:
    """Strands that leave the band outwards and fall."""
    count, share = 22, np.linspace(0, 1, 10)
    length = 15.0 if style == "ponytail" else 11.0
    spread = random.normal(0, 1, (count, 1, 3)) * 0.75 * np.sin(share * 2.6 + 0.25)[:, None]
    start = outward if style == "ponytail" else unit(outward * [1, 0.3, 1])
    forward = start * (3.4 * np.sin(np.clip(share * 2.2, 0, np.pi / 2)))[:, None]
    fall = np.array([0, -1, 0]) * (length * share**1.5)[:, None] + np.array([0, 1, 0]) * (1.2 * np.sin(share * np.pi))[:, None]
    paths = (at + forward + fall + spread * random.uniform(0.6, 1.1, (count, 1, 1))).astype(np.float32)
    return _strands(fit, STYLES["long"], paths, color, random)
