"""A tree in the form of FERG-DB with six rendered characters: pictures of its kind for tests and for those who do not have it.

    python -m scripts.synthetic.heads.dataset.ferg_lookalike --heads data/ict_facekit.npz --each 24 --out data/ferg-lookalike
    python -m scripts.data.prepare ferg --faces data/ferg-lookalike --out data/ferg-lookalike.npz

It writes `<out>/FERG_DB_256/<character>/<character>_<expression>/*.png`, 256 pixels. As in FERG-DB, the head fills
the picture, the pose hardly changes and pictures are neighbouring frames of a motion, here from onset to apex. The
names of folders are FERG-DB's so that its reader can be tried; the characters are this project's and show nothing of
it. `FERG_DB_256/LOOKALIKE.md` says so and has the terms; the reader records faces of a tree with this file as
rendered heads, not as FERG-DB's. All characters are of training families: the held-out ones stay unseen.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ....data.dataset import LABEL_NAMES, DatasetError
from ....data.readers.ferg import CHARACTERS, LOOKALIKE
from ..characters import SEED, Character, create_character
from ..expressions import Expression, sample_expression
from ..geometry.model import load_head_model
from ..renderer import HeadRenderer
from ..views import View, sample_view
from . import card

SIDE = 256
WORDS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
"""FERG-DB's expressions."""
FAMILY_OF = {"aia": "feature", "bonnie": "flat", "jules": "puppet", "malcolm": "scan", "mery": "lowpoly", "ray": "fantasy"}
FIRST_NUMBER = 9000
"""Number of the first character in its family, beyond those of the set: `make heads` renders none of the six."""
FRAMES = 12
"""Frames of a motion, after which another one starts."""
ONSET = 0.45
"""Strength of a motion's first frame: FERG-DB too shows clear expressions only."""
POSE_SPREAD = 0.35
FACE_SHARE = 0.55  # height of the face as a share of the picture's
STEP = 0.25  # degrees by which the head turns from frame to frame, at most

README = """# Look-alike of FERG-DB

Rendered by `scripts.synthetic.heads.dataset.ferg_lookalike`; not FERG-DB, whose characters, names apart, look different. The
pictures may be passed on:

"""


def character_of(name: str, seed: int = SEED) -> Character:
    """The character that takes the place of one of FERG-DB's: the first of its family whose face nothing covers, as there."""
    numbers = itertools.count(FIRST_NUMBER + 100 * CHARACTERS.index(name))
    candidates = (create_character(FAMILY_OF[name], number, seed) for number in numbers)
    return next(one for one in candidates if one.outfit.hat == one.outfit.glasses == one.outfit.beard == "none")


def motion(character: Character, word: str, number: int, frames: int, seed: int = SEED) -> Iterator[tuple[Expression, View]]:
    """Yield the frames of a motion from onset to apex: the expression grows while the head turns a little.

    Args:
        character: who moves.
        word: one of WORDS.
        number: number of the motion; others differ in recipe, pose and light.
        frames: how many frames to yield, the first at strength ONSET and the last at 1; a single one is the apex.
        seed: seed of all motions.
    """
    state = [seed, number, *character.name.encode(), *word.encode()]
    random = np.random.default_rng(state)
    view = replace(sample_view(character, random, POSE_SPREAD), face_share=FACE_SHARE)
    turn = random.uniform(-STEP, STEP, 2)
    for frame in range(frames):
        strength = ONSET + (1 - ONSET) * frame / (frames - 1) if frames > 1 else 1.0
        expression = sample_expression(LABEL_NAMES[word], strength, np.random.default_rng([*state, 1]))
        yield expression, replace(view, yaw=view.yaw + frame * turn[0], pitch=view.pitch + frame * turn[1])


def write_tree(renderer: HeadRenderer, out: Path, each: int, seed: int = SEED) -> Path:
    """Render `each` pictures of every character and expression, and write their terms (LOOKALIKE).

    Returns:
        The folder FERG_DB_256 below `out`.
    """
    root = out / "FERG_DB_256"
    root.mkdir(parents=True, exist_ok=True)
    (root / LOOKALIKE).write_text(README + card.terms().replace("# ", "## ", 1), encoding="utf-8")
    with tqdm(total=len(CHARACTERS) * len(WORDS) * each, unit=" pictures", desc="rendering") as progress:
        for name in CHARACTERS:
            character = character_of(name, seed)
            for word in WORDS:
                folder = root / name / f"{name}_{word}"
                folder.mkdir(parents=True, exist_ok=True)
                for start in range(0, each, FRAMES):
                    frames = motion(character, word, start // FRAMES, min(FRAMES, each - start), seed)
                    for number, (expression, view) in enumerate(frames, start + 1):
                        pixels = renderer.render(character, expression, view).pixels
                        cv2.imwrite(str(folder / f"{name}_{word}_{number}.png"), pixels[..., ::-1])
                        progress.update()
    return root


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--heads", type=Path, default=Path("data/ict_facekit.npz"), help="the head model, .npz or FaceXModel folder"
    )
    parser.add_argument("--each", type=int, default=24, help="pictures of a character's expression (default: 24)")
    parser.add_argument("--out", type=Path, default=Path("data/ferg-lookalike"))
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    if options.each < 1:
        parser.error("--each must be at least 1")
    try:
        with HeadRenderer(load_head_model(options.heads), SIDE) as renderer:
            root = write_tree(renderer, options.out, options.each, options.seed)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    print(f"written: {root}")


if __name__ == "__main__":
    main()
