"""Batches of texts: rows of the vocabulary padded to the longest of the batch, with their targets."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from emotions.text.tokenizer import PAD, Vocabulary

NAMES = [
    "James",
    "Mary",
    "John",
    "Anna",
    "Michael",
    "Sarah",
    "David",
    "Emma",
    "Robert",
    "Laura",
    "Daniel",
    "Julia",
    "Thomas",
    "Emily",
    "Chris",
    "Kate",
    "Mark",
    "Lisa",
    "Paul",
    "Amy",
    "Peter",
    "Jess",
    "Kevin",
    "Rachel",
    "Brian",
    "Megan",
    "Jason",
    "Nicole",
    "Eric",
    "Ashley",
    "Steve",
    "Karen",
    "Adam",
    "Sam",
    "Alex",
    "Max",
    "Ben",
    "Tom",
    "Joe",
    "Dan",
    "Mike",
    "Nick",
    "Matt",
    "Ryan",
    "Jack",
    "Smith",
]
RELIGIONS = ["Christian", "Muslim", "Jewish", "Catholic", "Hindu", "Buddhist", "Christianity", "Islam", "Protestant", "Mormon"]


def unmask(text: str, share: float, random: np.random.Generator) -> str:
    """`text` with this share of its masked names and religions replaced by real ones."""
    for mask, known in (("[NAME]", NAMES), ("[RELIGION]", RELIGIONS)):
        while mask in text and random.random() < share:
            text = text.replace(mask, known[random.integers(len(known))], 1)
    return text


def padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """(B, T) float32, T the longest's length."""
    table = np.full((len(rows), max(map(len, rows))), PAD, np.float32)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


class Batches(keras.utils.PyDataset):
    """Texts in an order that changes every epoch, texts of like length together so that little is padding."""

    def __init__(
        self, texts: list[str], targets: dict[str, np.ndarray], vocabulary: Vocabulary, config: dict, names: float
    ) -> None:
        super().__init__()
        self._texts, self._targets, self._vocabulary, self._names = texts, targets, vocabulary, names
        self._size, self._longest = config["optimiser"]["batch"], config["longest"]
        self._random = np.random.default_rng(config["seed"])
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self._order)

    def on_epoch_end(self) -> None:
        read = [unmask(text, self._names, self._random) for text in self._texts]
        self._rows = [self._vocabulary.encode(self._vocabulary.words(text), self._longest) for text in read]
        lengths = np.array([len(rows) for rows in self._rows]) + self._random.uniform(0, 3, len(read))
        batches = np.split(np.argsort(lengths), range(self._size, len(read), self._size))
        self._order = [batches[number] for number in self._random.permutation(len(batches))]

    def __getitem__(self, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        chosen = self._order[number]
        return padded([self._rows[row] for row in chosen]), {name: values[chosen] for name, values in self._targets.items()}


def logits(model: keras.Model, texts: list[str], vocabulary: Vocabulary, longest: int, batch: int = 64) -> dict[str, np.ndarray]:
    """The model's outputs for texts, in their order."""
    rows = [vocabulary.encode(vocabulary.words(text), longest) for text in texts]
    order = np.argsort([len(row) for row in rows], kind="stable")
    outputs: dict[str, np.ndarray] = {}
    for start in range(0, len(rows), batch):
        chosen = order[start : start + batch]
        for name, values in model.predict_on_batch(padded([rows[row] for row in chosen])).items():
            outputs.setdefault(name, np.zeros((len(rows), values.shape[1]), np.float32))[chosen] = values
    return outputs
