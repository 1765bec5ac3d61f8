"""The speech model's card: Markdown written from the manifest's figures, never by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emotions.runtime.manifest import ModelRegistry

from ..common.git import commit
from ..report.card import filled
from ..report.tables import confusion_table

TITLES = {
    "ravdess_cross_validated": "RAVDESS, the recipe cross-validated over `emobox_fold` (6 folds of 4 actors)",
    "ravdess_actors_21_to_24": "RAVDESS, the shipped file on actors 21 to 24, through the library",
    "emodb_speakers_out": "EmoDB, the recipe on EmoDB alone, leaving one speaker out (six classes: no surprise)",
    "tess_across_speakers": "TESS, the recipe on one actress alone, asked about the other, both ways",
}
LIMITS = """A tone of voice is not a feeling: the clips are acted, by few actors, in English and a little German, mostly two
sentences.
Speech of daily life, other languages, children, the ill and the old were not measured; it will read them worse. Do not decide
anything about a person by it: not whom to hire, grade, insure, admit, suspect or diagnose. The EU's AI Act (Article 5(1)(f))
forbids inferring emotions at work and in education save for medical or safety reasons. The data's licences allow no commercial
use: take legal advice before you sell anything that rests on these files."""
DATA = """RAVDESS (Livingstone and Russo, PLoS ONE 13(5), 2018; CC BY-NC-SA 4.0): 24 actors; calm counts as neutral. TESS
(Pichora-Fuller and Dupuis, 2020; CC BY-NC-ND 4.0, as its users state it): two actresses. EmoDB (Burkhardt et al.,
Interspeech 2005; free to download, without a written licence): ten actors, German; boredom is left out. No speaker is in both
training and test of any figure."""


def write_card(folder: Path) -> Path:
    """Write the card that the manifest's speech model names, beside it; gives its path."""
    registry = ModelRegistry(folder)
    entry, check = registry.entry("speech").metadata, registry.entry("speech-check").metadata
    parts = [
        f"# Model card: {entry['name']} {entry['version']}",
        filled("Seven probabilities (anger, disgust, fear, happy, neutral, sad, surprise) for 3.2 seconds of a voice. Written by "
               "`scripts.speech.evaluate`; the shipped file's figures come from the exported file, through the library's code."),
        "\n".join(facts(entry, check)), "## What it is not for", filled(LIMITS), "## Data and licences", filled(DATA),
        "## Mean recall over classes", figures_table(entry["evaluation"]), filled(
            "Mean recall is the unweighted average recall: every class counts the same, guessing gives 14.3 %. Intervals: "
            "bootstrap "
            "over clips, 2,000 draws; they tell nothing of how other speakers would fare. Temperature: fitted on the windows of "
            "the cross-validation's held-out clips, those of actors 21 to 24 left out; for EmoDB and TESS on the very answers. "
            "What is measured of a window and the four "
            "constants of the recipe were chosen among some twenty by RAVDESS' cross-validation itself, which all 24 actors are "
            "in: "
            "they lay within two points of each other, but expect a little less elsewhere."),
        "By speaker: " + speakers(entry["evaluation"]), "## Emotion by emotion", *matrices(entry["evaluation"]),
        "## When it says that it cannot tell", *refusals(entry, check),
    ]  # fmt: skip
    path = folder / entry["card"]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def facts(entry: Mapping[str, Any], check: Mapping[str, Any]) -> Iterator[str]:
    """The list at the top."""
    fitted = entry["fitted"]
    listed = {
        "Sound": f"mono at {entry['input']['rate']:,} Hz, log-mel frames of {entry['input']['bands']} bands each 20 ms, windows "
                 f"of "
                 f"{entry['input']['frames']} frames, level taken out; {entry['input']['features']:,} statistics a window.",
        "Network": f"radial basis functions on {fitted['components']} principal components, fitted in closed form; "
                   f"{entry['parameters']:,} weights as float16 ({entry['bytes']:,} bytes). A second one of {check['bytes']:,} "
                   f"bytes "
                   "tells speech from other sounds.",
        "Recipe": f"every clip of RAVDESS and {fitted['copies']} varied copies of each (speed, bands moved, colour), "
                  f"{fitted['tess']:.0%} of TESS and all of EmoDB at weight {fitted['others']}; classes weighted alike; exponent "
                  f"{fitted['gamma']}, ridge {fitted['ridge']}. The shipped file learnt from RAVDESS' actors 1 to 20.",
        "Temperature": f"{entry['temperature']}.",
        "Licence": f"{entry['licence']}.",
        "Source": f"measured at commit {commit()}.",
    }  # fmt: skip
    for name, text in listed.items():
        yield filled(f"- **{name}**: {text}", "  ")


def figures_table(evaluation: dict[str, Any]) -> str:
    lines = ["| measured on | clips | speakers | mean recall | 95 % interval | accuracy | calibration error |",
             "| --- | ---: | ---: | ---: | --- | ---: | ---: |"]  # fmt: skip
    for name, title in TITLES.items():
        if name in evaluation:
            row = evaluation[name]
            lines.append(f"| {title} | {row['count']:,} | {row['speakers']} | **{row['recall']:.1%}** | "
                         f"{row['interval'][0]:.1%} to "
                         f"{row['interval'][1]:.1%} | {row['accuracy']:.1%} | {row['ece']:.3f} |")  # fmt: skip
    return "\n".join(lines)


def speakers(evaluation: dict[str, Any]) -> str:
    """From whom to whom recall reaches in the cross-validation."""
    rows = sorted(evaluation["ravdess_cross_validated"]["by_speaker"].items(), key=lambda pair: pair[1])
    (worst, low), (best, high) = rows[0], rows[-1]
    return f"in RAVDESS' cross-validation from {low:.0%} ({worst}) to {high:.0%} ({best})."


def matrices(evaluation: dict[str, Any]) -> Iterator[str]:
    for name, title in TITLES.items():
        if name in evaluation:
            yield f"### {title}: rows true, columns answered"
            yield confusion_table(evaluation[name])


def refusals(entry: Mapping[str, Any], check: Mapping[str, Any]) -> Iterator[str]:
    limits = entry["thresholds"]
    yield filled(f"A window with less than {limits['too_short']} s of sound is too short, one that nowhere exceeds "
                 f"{limits['silence']:.0f} dB "
                 f"of full scale in any band is silence, and one that the second network thinks less than "
                 f"{limits['not_speech']:.0%} likely "
                 "to be speech is no speech. Speakers that the second network did not learn from:")  # fmt: skip
    lines = ["| speech of | clips | refused as recorded, whole clips | refused as windows, half of them with noise |",
             "| --- | ---: | ---: | ---: |"]  # fmt: skip
    for corpus, row in check["refused"]["speech"].items():
        whole = entry.get("refused", {}).get(corpus)
        share = f"{whole['refused']:.2%}" if whole else "–"
        lines.append(f"| {corpus} | {row['count']:,} | {share} | {row['refused']:.2%} |")
    yield "\n".join(lines)
    lines = ["| synthesised sound | learnt from | refused |", "| --- | --- | ---: |"]
    for kind, row in check["refused"]["others"].items():
        lines.append(f"| {kind.replace('_', ' ')} | {'yes' if row['learnt'] else 'never'} | {row['refused']:.0%} |")
    yield "\n".join(lines)
