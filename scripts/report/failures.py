"""Known failures of a model for its card: weak classes, confused pairs, and misclassified pictures.

FER2013's faces are not openly licensed and are never shown. Shown are drawn faces of held-out families, in styles
whose artists allow it, with their credits, and the predictions for the pages' own samples are listed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emotions.face.analyzer import FaceAnalyzer
from emotions.image.loading import open_image
from emotions.labels import EMOTIONS
from emotions.runtime.manifest import ModelRegistry

from ..common.manifest import put_entry
from ..data.dataset import Faces
from ..data.labels import MIXED

SAMPLES = {"collins.jpg": ("happy",), "obama.jpg": ("happy",), "angry.png": ("anger",), "friends.png": (None,) * 4}
"""Sample pictures of the pages: expression of each face, None if it is ambiguous."""
MAX_FACES, COLUMNS = 12, 4
"""Faces on a contact sheet, and in a row of it."""
ENLARGE, WIDE, CAPTION = 2, 150, 32
PAIRS, WEAKEST = 3, 2


def served(heads: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The head whose failures are shown: the default head, or the first."""
    return next((entry for entry in heads if entry["truth"] == MIXED), heads[0])


def worded(metrics: Mapping[str, Any]) -> str:
    """Classes with the lowest recall and most confused pairs, as shares of the true class."""
    matrix = np.array(metrics["confusion"])
    support = matrix.sum(axis=1)
    shares = matrix / np.maximum(support, 1)[:, None]
    present = [index for index in np.argsort(np.diag(shares), kind="stable") if support[index]]
    weak = ", ".join(f"{EMOTIONS[index]} {shares[index, index]:.0%} of {support[index]:,}" for index in present[:WEAKEST])
    wrong = np.where(np.eye(len(EMOTIONS), dtype=bool), 0, shares)
    pairs = [divmod(int(place), len(EMOTIONS)) for place in np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]]
    confused = [f"{EMOTIONS[true]} as {EMOTIONS[read]} ({wrong[true, read]:.0%})" for true, read in pairs if wrong[true, read]]
    return f"lowest recall: {weak}; most confused: {', '.join(confused) or 'none'}"


def show_failures(folder: Path, base: str, tables: Mapping[Path, Faces]) -> None:
    """Write known failures of a backbone to the evaluation, and the contact sheet that they name.

    Without a table of drawn faces, or without the credits beside it, the existing contact sheet is kept.
    """
    registry = ModelRegistry(folder)
    entry = registry.entry("expression-base", base).metadata
    head = served([one.metadata for one in registry.entries("expression-head") if one.base == base])["name"]
    analyzer = FaceAnalyzer(registry, head)
    failures = {**entry.get("failures", {}), "head": head, "samples": list(predict_samples(analyzer))}
    pictures = set(entry.get("pictures", ()))
    for path, faces in tables.items():
        credits = credits_of(path)
        chosen = faces.where((faces.splits == "test") & np.isin(faces.groups, list(credits)))
        if not len(chosen):
            if (faces.sources == "dicebear").any():
                print(f"{path}: no credits of its test families beside it, so none of its faces are shown")
            continue
        rows, sheet = contact_sheet(chosen, analyzer.classifier.probabilities(chosen.pixels))
        if rows:
            name = f"{base}-{entry['version']}-failures.png"
            (folder / name).write_bytes(sheet)
            pictures.add(name)
            shown = sorted({row["group"] for row in rows})
            failures["drawn"] = {"file": name, "faces": rows, "credits": [credits[group] for group in shown]}
    put_entry(folder, {**entry, "failures": failures, "pictures": sorted(pictures)}, folder / entry["file"])


def credits_of(table: Path) -> dict[str, str]:
    """Style family -> artist and licence, from the file that scripts.synthetic.generate writes beside its table; {} without
    it.
    """
    path = table.with_name(f"{table.stem}-ATTRIBUTION.md")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {match[1]: match[0].removeprefix("- ") for match in re.finditer(r"^- \*\*([^*]+)\*\* \(.*$", text, re.MULTILINE)}


def contact_sheet(faces: Faces, probabilities: np.ndarray) -> tuple[list[dict[str, Any]], bytes]:
    """Most confident error of each family and expression, in descending order, and a PNG of them with both labels."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    worst: dict[tuple[str, int], int] = {}
    for index in np.flatnonzero(predicted != faces.labels):
        cell = str(faces.groups[index]), int(faces.labels[index])
        if cell not in worst or confidence[index] > confidence[worst[cell]]:
            worst[cell] = int(index)
    chosen = sorted(worst.values(), key=lambda index: -confidence[index])[:MAX_FACES]
    rows = [
        {"group": str(faces.groups[index]), "true": EMOTIONS[faces.labels[index]], "answered": EMOTIONS[predicted[index]],
         "confidence": round(float(confidence[index]), 2)}
        for index in chosen
    ]  # fmt: skip
    return rows, _drawn(faces.pixels[chosen], rows) if rows else b""


def _drawn(pixels: np.ndarray, rows: list[dict[str, Any]]) -> bytes:
    side, font = pixels.shape[1] * ENLARGE, ImageFont.load_default(12)
    sheet = Image.new("L", (WIDE * min(COLUMNS, len(rows)), (side + CAPTION) * -(-len(rows) // COLUMNS)), 255)
    draw = ImageDraw.Draw(sheet)
    for place, (face, row) in enumerate(zip(pixels, rows, strict=True)):
        left, top = place % COLUMNS * WIDE, place // COLUMNS * (side + CAPTION)
        sheet.paste(Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC), (left + (WIDE - side) // 2, top + 4))
        for line, text in enumerate((row["true"], f"read as {row['answered']}, {row['confidence']:.0%}")):
            draw.text((left + WIDE / 2, top + side + 5 + 12 * line), text, 0, font, anchor="ma")
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def predict_samples(analyzer: FaceAnalyzer) -> Iterator[dict[str, Any]]:
    """Predictions for each sample picture: faces `found` `of` expected ones, and `wrong` ones as {true, answered, confidence}."""
    folder = Path(__file__).resolve().parents[2] / "static" / "samples"
    for name, expected in SAMPLES.items():
        faces = analyzer.analyze(open_image(folder / name)).faces
        pairs = zip(faces, expected, strict=False) if len(expected) == 1 else ()
        wrong = [
            {"true": true, "answered": face.emotion, "confidence": round(face.confidence, 2)}
            for face, true in pairs if true and face.emotion != true
        ]  # fmt: skip
        labelled = sum(label is not None for label in expected)
        yield {"file": name, "found": len(faces), "of": len(expected), "labelled": labelled, "wrong": wrong}
