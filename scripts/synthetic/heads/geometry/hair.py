"""Hair: a cap over the scalp and locks that follow a direction of growth over it."""

from __future__ import annotations

import numpy as np

from .fitting import CENTER, CROWN, FACE, Fit, MeanHead, directions, shell
from .hair_styles import GATHERS, PARTING, STRAIGHT, STYLES, Style, flow_of, top_share
from .parts import Part
from .regions import face_clearance, rim_field, scalp_field
from .shapes3d import Color, Noise, ellipsoids, joined, smoothstep, subdivided, tubes, unit, varied

HAIR_STYLES = tuple(STYLES)
FRINGE_END = 8.3  # height in cm of the mean head where a fringe ends, above the brows
RINGS, SIDES = 7, 5
HIDES_HAIR = ("headscarf", "turban")
BANDS = ("headband", "crown")  # hair is free above them


def hair(fit: Fit, style: str, color: Color, random: np.random.Generator, under: str = "none") -> list[Part]:
    """Hair of a style.

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
    if style == "bald" or under in HIDES_HAIR:
        return []
    parts = [_cap(fit, chosen, color, random, under)] if chosen.cap > 0 else []
    if chosen.flow == "balls":
        parts.append(_balls(fit, chosen, color, random, under))
    elif chosen.flow:
        parts += _locks(fit, style, color, random, under)
    if style in GATHERS and (under == "none" or style != "topknot"):
        parts += _gathered(fit, style, color, random)
    return parts


def _covered(points: np.ndarray, under: str) -> np.ndarray:
    """Share (...) by which points on the head are pressed down by a hat."""
    if under == "none":
        return np.zeros(points.shape[:-1], np.float32)
    above = rim_field(points, under)
    share = smoothstep(above, -1.6, -0.2)
    return share * (1 - smoothstep(above, 1.2, 3.0)) if under in BANDS else share


def _flattened(points: np.ndarray, heights: np.ndarray, under: str, limit: float) -> np.ndarray:
    """Heights over the skin, at most `limit` under a hat."""
    return heights + _covered(points, under) * np.minimum(limit - heights, 0)


def _cap(fit: Fit, style: Style, color: Color, random: np.random.Generator, under: str) -> Part:
    """The layer under the locks, darker than they are; for short and frizzy hair, all of it."""
    mean = fit.mean
    field = scalp_field(mean.points, style.line) + 0.15 * Noise(random, 2.2)(mean.points)
    field[mean.ear & (np.arange(len(field)) < FACE) & (mean.height(mean.points) > 0.2)] = -1
    bulk = min(style.cap * 1.6 + 0.5, 4.0)
    rise = np.sqrt(np.clip(1 - (1 - np.clip(field / bulk, 0, 1)) ** 2, 0, 1))
    heights = _flattened(mean.points, 0.06 + style.cap * rise, under, 0.2)
    streaks = 0.12 * Noise(random, 0.9)(mean.points) + 0.05 * random.normal(size=len(field))
    darker = 0.3 if style.flow and style.hang is None else 0.15 if style.flow else 0.05
    mesh, anchors = shell(fit, field, heights, varied(color, streaks - darker))
    if style.bumps:
        depth = np.clip(heights[anchors] / 0.6, 0, 1) * (1 - _covered(mean.points[anchors], under))
        mesh, parents = subdivided(mesh)
        bumps = Noise(random, 1.0, 24)(mesh.points) * depth[parents[:, 0]] * depth[parents[:, 1]]
        mesh = type(mesh)(
            mesh.points + mesh.normals() * (style.bumps * bumps)[:, None], mesh.triangles, varied(color, 0.2 * bumps - 0.05)
        )
        anchors = anchors[parents[:, 0]]
    return fit.part_here(mesh, "hair", anchors)


def _roots(style: Style, random: np.random.Generator, mean: MeanHead, margin: float = 0.1) -> np.ndarray:
    """Points (L, 3) on the mean head's scalp, spread evenly with some disorder."""
    number = np.arange(style.count) + 0.5
    elevation = np.arcsin(1 - 2 * number / style.count) + random.normal(0, 0.035, style.count)
    azimuth = np.pi * (1 + 5**0.5) * number + random.normal(0, 0.05, style.count)
    points = mean.lifted(CENTER + directions(elevation, azimuth), 0)
    return points[scalp_field(points, style.line) > margin]


def _locks(fit: Fit, name: str, color: Color, random: np.random.Generator, under: str) -> list[Part]:
    style = STYLES[name]
    roots = _roots(style, random, fit.mean, 0.3 if style.flow in STRAIGHT else 0.1)
    if style.flow == "crest":
        roots = roots[(np.abs(roots[:, 0]) < 1.2) & (roots[:, 1] > 3)]
    elif style.flow == "tufts":
        near = np.linalg.norm(roots - [0, 14.2, 1.5], axis=1)
        roots = roots[np.argsort(near)[: random.integers(6, 13)]]
    if style.flow in STRAIGHT:
        paths = _raised(style, roots, random)
        paths = paths[_covered(paths, under).max(axis=1) < 0.3]
    else:
        paths = _grown(fit.mean, name, roots, random, under)
    if style.fringe:
        paths = np.concatenate([paths, _fringe(fit.mean, random, under)])
    covered = _covered(paths, under)
    seen = covered.min(axis=1) < 0.9
    if not seen.any():
        return []
    return [_strands(fit, style, paths[seen], color, random, 1 - 0.55 * covered[seen])]


def _lifts(name: str, roots: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lengths (L,) and heights (L,) over the skin of locks."""
    style, top = STYLES[name], top_share(roots)
    lengths = (style.length[1] + top * (style.length[0] - style.length[1])) * random.uniform(0.8, 1.15, len(roots))
    lifts = (style.lift[1] + top * (style.lift[0] - style.lift[1])) * random.uniform(0.8, 1.2, len(roots))
    if name == "quiff":
        lifts *= 0.35 + 0.75 * smoothstep(roots[:, 2], -2, 6)
    return lengths, lifts


def _grown(mean: MeanHead, name: str, roots: np.ndarray, random: np.random.Generator, under: str) -> np.ndarray:
    """Curves (L, RINGS, 3) of locks that lie on the head and hang from it."""
    style, flow = STYLES[name], flow_of(name)
    lengths, lifts = _lifts(name, roots, random)
    gathers = style.flow.startswith("gather")
    if gathers:
        lengths = np.linalg.norm(flow(roots, roots), axis=1) * 1.15
    ends = None if style.hang is None else style.hang + random.normal(0, 0.5, len(roots))
    points, path = roots, [mean.lifted(roots, 0.05)]
    for ring in range(1, RINGS):
        share = ring / (RINGS - 1)
        direction = flow(points, roots)
        step = lengths / (RINGS - 1)
        if gathers:
            step = np.minimum(step, np.linalg.norm(direction, axis=1) * 0.9 + 0.02)
        if ends is not None:
            step = np.minimum(step, np.maximum(points[:, 1] - ends, 0) + 0.05)
        else:  # face and forehead stay free
            step = step * np.clip((scalp_field(points) + 0.6) / 0.8, 0.04, 1)
        outward = unit(points - CENTER)
        direction = unit(direction - 0.98 * (direction * outward).sum(1, keepdims=True) * outward)
        points = points + direction * step[:, None]
        rise = np.sin(share * np.pi) ** 0.7 if name == "quiff" else np.sin(min(share * 1.6, 1) * np.pi / 2)
        points = _placed(mean, style, roots, points, _flattened(points, 0.08 + lifts * rise, under, 0.12))
        path.append(points)
    return np.stack(path, axis=1)


def _placed(mean: MeanHead, style: Style, roots: np.ndarray, points: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Points (L, 3) of locks at heights over the skin; below the ears they hang freely, beside the face."""
    lifted = mean.lifted(points, heights)
    if style.hang is None:
        return lifted
    free = (points[:, 1] < 5) & (mean.height(points) > heights)
    lifted = np.where(free[:, None], points, lifted)
    clear = face_clearance(lifted)
    side = np.where(roots[:, 0] > PARTING, 1, -1)
    lifted[:, 0] = np.where(np.abs(lifted[:, 0]) < clear, side * clear, lifted[:, 0])
    return lifted


def _raised(style: Style, roots: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Curves (L, RINGS, 3) of locks that stand off the head."""
    lengths = style.length[1] + top_share(roots) * (style.length[0] - style.length[1])
    lengths = (lengths * random.uniform(0.75, 1.2, len(roots)))[:, None, None]
    lean = np.array([0, 0.1, -0.3] if style.flow == "crest" else [0, 0.55, -0.1])
    heading = unit(unit(roots - CENTER) + lean + random.normal(0, 0.16, roots.shape))
    share = np.linspace(0, 1, RINGS)[None, :, None]
    if style.flow == "tufts":
        bend, bow = unit(np.cross(heading, random.normal(size=roots.shape))), 0.45 * share**2 * lengths
        reach = share * (1 - 0.3 * share) * lengths
    else:
        bend, bow, reach = np.array([[0, 0, -1.0]]), 0.12 * share**2 * lengths, share * lengths
    return (roots[:, None] + heading[:, None] * reach + bend[:, None] * bow).astype(np.float32)


def _fringe(mean: MeanHead, random: np.random.Generator, under: str) -> np.ndarray:
    """Curves (L, RINGS, 3) of locks that fall from above over the forehead and end above the brows."""
    x = np.linspace(-5.6, 5.6, 17) + random.normal(0, 0.12, 17)
    share = np.linspace(0, 1, RINGS)
    end = FRINGE_END + 0.08 * np.abs(x) + random.normal(0, 0.15, 17)
    top = 12.8 - 0.05 * x**2
    y = top[:, None] + (end - top)[:, None] * share
    spread = x[:, None] * (0.75 + 0.3 * share) + random.normal(0, 0.15, (17, 1)) * share
    points = np.stack([spread, y, 6.0 - 0.12 * spread**2 + 3 * share], -1).astype(np.float32)
    return mean.lifted(points, _flattened(points, 0.5 + 0.45 * np.sin(share * 2.4) + 0 * y, under, 0.2))


def _strands(
    fit: Fit, style: Style, paths: np.ndarray, color: Color, random: np.random.Generator, factor: np.ndarray | float = 1.0
) -> Part:  # fmt: skip
    """Tapered tubes along curves (L, K, 3), each with its own shade, darker at the root."""
    count, share = len(paths), np.linspace(0, 1, paths.shape[1])
    across = np.cross(unit(paths - CENTER), np.gradient(paths, axis=1))
    if style.flow in STRAIGHT:
        across = np.broadcast_to(np.array([0, 0, 1.0]), paths.shape)
    if style.curl:
        along = np.cumsum(np.linalg.norm(np.diff(paths, axis=1, prepend=paths[:, :1]), axis=2), axis=1)
        wave = np.sin(random.uniform(0, 2.5, (count, 1)) + 1.1 * along) * smoothstep(share, 0.1, 0.6)
        paths = paths + unit(across) * (style.curl * wave)[..., None]
    if style.flow in STRAIGHT:
        profile = np.clip(1 - share, 0.02, 1) ** 0.8
    elif style.roundness >= 1:
        profile = (0.9 + 0.12 * np.sin(np.arange(len(share)) * 2.4)) * np.where(share == 1, 0.45, 1)
    else:
        profile = np.interp(share, [0, 0.25, 0.6, 0.85, 1], [0.45, 0.95, 1, 0.75, 0.12])
    sizes = style.width * random.uniform(0.75, 1.2, (count, 1)) * profile * factor
    shade = random.normal(0, 0.09, (count, 1)) + np.interp(share, [0, 0.35, 1], [-0.22, 0, 0.08])
    return fit.part(tubes(paths, across, sizes, sizes * style.roundness, varied(color, shade), SIDES), "hair", CROWN)


def _balls(fit: Fit, style: Style, color: Color, random: np.random.Generator, under: str) -> Part:
    """Curls as overlapping balls."""
    roots = _roots(style, random, fit.mean, 0.2)
    top, covered = top_share(roots), _covered(roots, under)
    lift = style.lift[1] + top * (style.lift[0] - style.lift[1])
    rise = np.sqrt(np.clip(1 - (1 - np.clip(scalp_field(roots) / (style.lift[0] + 0.6), 0, 1)) ** 2, 0, 1))
    sizes = (style.length[1] + top * (style.length[0] - style.length[1])) * random.uniform(0.75, 1.2, len(roots))
    heights = _flattened(roots, lift * (0.25 + 0.75 * rise) * random.uniform(0.85, 1.1, len(roots)), under, 0.1)
    sizes = sizes * (1 - 0.6 * covered)
    seen = covered < 0.9
    centers = fit.mean.lifted(roots, heights - 0.35 * sizes)[seen]
    radii = sizes[seen, None] * random.uniform(0.85, 1.15, (len(centers), 3))
    shades = varied(color, random.normal(0, 0.1, len(centers)))
    return fit.part(ellipsoids(centers, radii, shades, 6, 6), "hair", CROWN)


def _gathered(fit: Fit, style: str, color: Color, random: np.random.Generator) -> list[Part]:
    """The bun, knot or tails where the hair is gathered."""
    target = fit.mean.lifted(np.array([GATHERS[style]], np.float32), 0.5)[0]
    parts = []
    for side in (1, -1) if style == "pigtails" else (1,):
        at = target * np.array([side, 1, 1], np.float32)
        outward = unit(at - CENTER)
        if style in ("bun", "topknot"):
            parts.append(_knot(fit, at + outward * 1.6, outward, 2.6 if style == "bun" else 2.1, color, random))
        else:
            parts.append(_tail(fit, at, outward, style, color, random))
    return parts


def _knot(fit: Fit, at: np.ndarray, axis: np.ndarray, size: float, color: Color, random: np.random.Generator) -> Part:
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
    shades = varied(color, random.normal(0, 0.1, (count, 1)) + 0 * share)
    strands = tubes(paths.astype(np.float32), across, 0.55 * profile, 0.35 * profile, shades, 6)
    core = ellipsoids(at[None], np.full((1, 3), size * 0.97), varied(color, np.array([-0.25])), 10, 14)
    return fit.part(joined([core, strands]), "hair", CROWN)


def _tail(fit: Fit, at: np.ndarray, outward: np.ndarray, style: str, color: Color, random: np.random.Generator) -> Part:
    """Strands that leave the head outwards and fall."""
    count, share = 22, np.linspace(0, 1, 10)
    length = 15.0 if style == "ponytail" else 11.0
    spread = random.normal(0, 1, (count, 1, 3)) * 0.75 * np.sin(share * 2.6 + 0.25)[:, None]
    start = outward if style == "ponytail" else unit(outward * [1, 0.3, 1])
    ahead = start * (3.4 * np.sin(np.clip(share * 2.2, 0, np.pi / 2)))[:, None]
    fall = np.array([0, 1, 0]) * (1.2 * np.sin(share * np.pi) - length * share**1.5)[:, None]
    paths = (at + ahead + fall + spread * random.uniform(0.6, 1.1, (count, 1, 1))).astype(np.float32)
    return _strands(fit, STYLES["long"], paths, color, random)
