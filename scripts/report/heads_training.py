"""Report of `scripts.evaluate.heads_training`: benchmarks/heads_training.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from emotions.labels import EMOTIONS

from ..common.markdown import table
from ..data.labels import LABELS, VOTES
from ..data.sources import source_of
from ..synthetic.heads.dataset.reader import LEVELS

BESIDE = {"human": (0.0, 0.0), "all": (1.0, 0.3)}
"""What rendered faces join: weights of drawn faces and of a further data set beside human faces, for `all` as 1.4.0 has them."""
MAIN = ("drawn", "others: macro-F1", *(f"rendered: {level}" for level in LEVELS))
"""Metrics, besides the accuracies on human faces, that are shown first; the choice depends on them."""
MAX_DROP = 0.003
"""Accuracy on human validation faces that a setting may lose on either label set."""
CLEAR = 2.0
"""A difference counts as clear if it is larger than so many of its standard errors over the seeds."""
MIN_CLEAR = 0.002
LEARNED = "rendered faces learned"
"""Title of a column."""


@dataclass(frozen=True)
class Setting:
    """How a head is trained: tables that rendered faces join (one of BESIDE), design, rows of their table, and their weight.

    Of the rows, those of training families that have a label are learned.
    """

    beside: str
    design: str
    count: int
    weight: float


@dataclass
class Trial:
    """A setting and its metrics: a dictionary for each seed, on validation, and on test for the chosen ones.

    `trained_on` is the number of rendered faces.
    """

    setting: Setting
    trained_on: int
    validation: list[dict[str, float]]
    test: list[dict[str, float]] = field(default_factory=list)

    @property
    def learned(self) -> str:
        """Rendered faces that are learned, and of how many rows."""
        return f"{self.trained_on:,} of {self.setting.count:,} rows" if self.setting.count else "none"

    @property
    def without_beside(self) -> str:
        """Design, rendered faces and weight in words."""
        one = self.setting
        return f"{one.design}, {f'{self.learned} at weight {one.weight:g}' if one.count else 'no rendered faces'}"

    @property
    def means(self) -> dict[str, float]:
        """Mean over the seeds of each metric on validation."""
        return {name: float(np.mean([row[name] for row in self.validation])) for name in self.validation[0]}


@dataclass(frozen=True)
class TrialReport:
    """All that the report shows.

    Attributes:
        command: command line that made it.
        title: backbone.
        about_set: rows, seed and fingerprint of the table of rendered heads.
        share: weight of the label in the targets.
        trials: everything that was tried.
        served: metrics of the served head, None for a backbone that is not served.
    """

    command: str
    title: str
    about_set: str
    share: float
    trials: Sequence[Trial]
    served: Trial | None = None


def label_sets(trial: Trial) -> tuple[str, ...]:
    """The label sets of human faces, which are the metrics without a colon other than `drawn`."""
    return tuple(name for name in trial.means if ":" not in name and name != "drawn")


def score(trial: Trial) -> float:
    """Sum of the validation metrics of drawn faces, of the further data set and of rendered faces of families left out."""
    rendered = [trial.means[f"rendered: {level}"] for level in LEVELS if f"rendered: {level}" in trial.means]
    return trial.means["drawn"] + trial.means["others: macro-F1"] + float(np.mean(rendered))


def allowed(trial: Trial, base: Trial) -> bool:
    """True if a trial loses at most MAX_DROP on human validation faces, on each label set."""
    return all(trial.means[name] >= base.means[name] - MAX_DROP for name in label_sets(base))


def choose(trials: Sequence[Trial]) -> list[tuple[Trial, Trial]]:
    """For each of BESIDE that was tried, the best trial without rendered faces and the best of all.

    Without them the one with the highest mean accuracy on human faces is taken; of all that are `allowed` the one with the
    highest `score`.
    """
    pairs = []
    for beside in dict.fromkeys(trial.setting.beside for trial in trials):
        here = [trial for trial in trials if trial.setting.beside == beside]
        plain = [trial for trial in here if not trial.setting.count]
        base = max(plain, key=lambda trial: sum(trial.means[name] for name in label_sets(trial)))
        pairs.append((base, max((trial for trial in here if allowed(trial, base)), key=score)))
    return pairs


def report_text(report: TrialReport) -> str:
    """Text of the report."""
    pairs, seeds = choose(report.trials), len(report.trials[0].validation)
    drawn_weight, others_weight = BESIDE["all"]
    return f"""# Rendered heads in the training of dense heads: frozen features of {report.title}

`{report.command}`

The set of rendered heads: {report.about_set}.

Dense heads learn FER2013's training faces ({report.share:.0%} of the target is the label, the rest the FER+ votes): alone
(*human*), or with drawn faces at weight {drawn_weight:g} and facial_expressions at weight {others_weight:g} (*all*). Rendered
faces join them. `--counts` are rows of their table, which begin with the first one; of these the faces of training families that
have a label are learned{_share(report)}. The column *rendered faces learned* has both numbers.
Figures are means over {seeds} seeds ± their standard deviation, in per cent.

*drawn* is balanced recall, mean over style families; *rendered* the same at full and at half strength; both are of families
that the heads did not learn. *Smiles* and *neutral* are the shares of portraits, cropped as served, that are called so.

## Validation

**Chosen** is the highest sum of *drawn*, macro-F1 of facial_expressions, and the mean of both *rendered*, among the settings
that lose at most {MAX_DROP:.1%} on either label set of human faces against the best setting without rendered faces.
Portraits play no part in it.

{_validation(report, pairs)}

## facial_expressions by class (validation): recall

{_classes(report, pairs)}

## Test, measured once

{_tests(report, pairs)}

## What changed

Chosen against the best setting without rendered faces, in points. A difference counts as clear if it exceeds {CLEAR:g} standard
errors over the seeds; with few faces in a group it may still be chance.

{_changes(pairs)}
"""


def _share(report: TrialReport) -> str:
    """Share of the rows that are learned, of the largest number that was tried."""
    largest = max(report.trials, key=lambda trial: trial.setting.count)
    return f", {largest.trained_on / largest.setting.count:.0%} of them" if largest.setting.count else ""


def title_of(name: str) -> str:
    """Title of a metric."""
    if name == LABELS:
        return "human, labels"
    if ":" not in name and name != "drawn":
        return f"{source_of(name).title} {'majority' if name == VOTES else 'labels'}"
    return name.replace("others:", "facial_expressions:")


def cell(rows: Sequence[dict[str, float]], name: str) -> str:
    """Mean and standard deviation over seeds in per cent; a dash for a metric that was not measured."""
    if not rows or name not in rows[0]:
        return "–"
    values = [100 * row[name] for row in rows]
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def _validation(report: TrialReport, pairs: Sequence[tuple[Trial, Trial]]) -> str:
    names = [*label_sets(report.trials[0]), *MAIN]
    names += [name for name in report.trials[0].means if name.startswith("portraits")]
    chosen, rows = {id(best) for _, best in pairs}, []
    bases = {base.setting.beside: base for base, _ in pairs}
    if report.served:
        rows.append((report.served.setting.beside, "", "", "", "", *(cell(report.served.validation, name) for name in names)))
    for trial in report.trials:
        mark = "**chosen**" if id(trial) in chosen else "" if allowed(trial, bases[trial.setting.beside]) else "loses too much"
        rows.append((*_described(trial), mark, *(cell(trial.validation, name) for name in names)))
    columns = ("beside", "design", LEARNED, "weight", "", *(_short(name) for name in names))
    return table(columns, "llrrlr", rows)


def _described(trial: Trial) -> tuple[str, str, str, str]:
    one = trial.setting
    return one.beside, one.design, trial.learned, f"{one.weight:g}" if one.count else ""


def _short(name: str) -> str:
    name = title_of(name).replace("portraits: happy", "smiles").replace("portraits: neutral", "neutral")
    return name.replace("facial_expressions: ", "").replace("female", "women").replace(", male", ", men").replace(": ", ", ")


def _series(report: TrialReport, best: Trial) -> list[Trial]:
    """Trials of the chosen one's design and weight with all numbers of rendered faces."""
    one, here = best.setting, [trial for trial in report.trials if trial.setting.beside == best.setting.beside]
    weights = (0.0, one.weight or max(trial.setting.weight for trial in here))
    return [trial for trial in here if trial.setting.design == one.design and trial.setting.weight in weights]


def _classes(report: TrialReport, pairs: Sequence[tuple[Trial, Trial]]) -> str:
    names = ["accuracy", *(emotion for emotion in EMOTIONS if f"others: {emotion}" in report.trials[0].means)]
    trials = [trial for _, best in pairs for trial in _series(report, best)]
    rows = [(*_described(trial), *(cell(trial.validation, f"others: {name}") for name in names)) for trial in trials]
    return table(("beside", "design", LEARNED, "weight", *names), "llr", rows)


def _tests(report: TrialReport, pairs: Sequence[tuple[Trial, Trial]]) -> str:
    """A row for each metric; columns for the served head, and for both trials of each pair."""
    trials = [trial for pair in pairs for trial in pair]
    columns = [f"{trial.setting.beside}, {'chosen' if place % 2 else 'without'}" for place, trial in enumerate(trials)]
    if report.served:
        trials, columns = [report.served, *trials], [report.served.setting.beside, *columns]
    rows = [
        (title_of(name), _split(name, pairs[0][0]), *(cell(_rows(trial, name), name) for trial in trials))
        for name in (*label_sets(pairs[0][0]), *pairs[0][0].test[0])
    ]
    named = "; ".join(f"*{best.setting.beside}*, chosen: {best.without_beside}" for _, best in pairs)
    return f"{named}.\n\n{table(('metric', 'split', *columns), 'llr', rows)}"


def _rows(trial: Trial, name: str) -> list[dict[str, float]]:
    """Metrics on test, or on validation where test was not measured."""
    return trial.test if name in trial.test[0] else trial.validation


def _split(name: str, trial: Trial) -> str:
    return "all" if name.startswith("portraits") else "test" if name in trial.test[0] else "validation"


def difference(base: Sequence[dict[str, float]], best: Sequence[dict[str, float]], name: str) -> tuple[float, float]:
    """Difference of a metric's means, and its standard error over the seeds (0 for one seed)."""
    pair = [np.array([row[name] for row in rows]) for rows in (base, best)]
    errors = [values.var(ddof=1) / len(values) if len(values) > 1 else 0.0 for values in pair]
    return float(pair[1].mean() - pair[0].mean()), float(sum(errors) ** 0.5)


def _changes(pairs: Sequence[tuple[Trial, Trial]]) -> str:
    lines = []
    for base, best in pairs:
        if base is best:
            lines.append(f"- *{best.setting.beside}*: nothing, the heads without rendered faces were chosen.")
            continue
        kinds: dict[str, list[str]] = {"higher": [], "lower": [], "no clear change": []}
        for name in (*label_sets(base), *best.test[0]):
            change, error = difference(_rows(base, name), _rows(best, name), name)
            clear = abs(change) > max(CLEAR * error, MIN_CLEAR)
            kind = "no clear change" if not clear else "higher" if change > 0 else "lower"
            kinds[kind].append(f"{title_of(name)} {100 * change:+.1f}" if clear else title_of(name))
        lines += [f"- *{best.setting.beside}*, {kind}: {'; '.join(names) or 'nothing'}." for kind, names in kinds.items()]
    return "\n".join(lines)
