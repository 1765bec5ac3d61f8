"""Batches of tokenized texts with their targets, pad to the longest text of the batch."""

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
    """Replace this share of the masked names and religions of `text` by real ones."""
    for mask, known in (("[NAME]", NAMES), ("[RELIGION]", RELIGIONS)):
        while mask in text and random.random() < share:
            text = text.replace(mask, known[random.integers(len(known))], 1)
    return text


def pad(token_ids: Sequence[Sequence[int]]) -> np.ndarray:
    """(B, T) float32 token ids of B texts, T the length of the longest."""
    table = np.full((len(token_ids), max(map(len, token_ids))), PAD, np.float32)
    for number, ids in enumerate(token_ids):
        table[number, : len(ids)] = ids
    return table


class TextBatches(keras.utils.PyDataset):
    """Batches in an order that changes every epoch, each of texts of similar length, which keeps padding short."""

    def __init__(
        self, texts: list[str], targets: dict[str, np.ndarray], vocabulary: Vocabulary, config: dict, name_share: float
    ) -> None:
        super().__init__()
        self._texts, self._targets, self._vocabulary, self._name_share = texts, targets, vocabulary, name_share
        self._size, self._max_tokens = config["optimiser"]["batch"], config["longest"]
        self._random = np.random.default_rng(config["seed"])
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self._order)

    def on_epoch_end(self) -> None:
        unmasked = [unmask(text, self._name_share, self._random) for text in self._texts]
        self._token_ids = [self._vocabulary.encode(self._vocabulary.words(text), self._max_tokens) for text in unmasked]
        lengths = np.array([len(ids) for ids in self._token_ids]) + self._random.uniform(0, 3, len(unmasked))
        batches = np.split(np.argsort(lengths), range(self._size, len(unmasked), self._size))
        self._order = [batches[number] for number in self._random.permutation(len(batches))]

    def __getitem__(self, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        chosen = self._order[number]
        return pad([self._token_ids[index] for index in chosen]), {name: values[chosen] for name, values in self._targets.items()}


def predict_logits(
    model: keras.Model, texts: list[str], vocabulary: Vocabulary, max_tokens: int, batch: int = 64
) -> dict[str, np.ndarray]:
    """Outputs of the model by name, (N, K) float32 each, for N texts in their order."""
    token_ids = [vocabulary.encode(vocabulary.words(text), max_tokens) for text in texts]
    order = np.argsort([len(ids) for ids in token_ids], kind="stable")
    outputs: dict[str, np.ndarray] = {}
    for start in range(0, len(token_ids), batch):
        chosen = order[start : start + batch]
        for name, values in model.predict_on_batch(pad([token_ids[index] for index in chosen])).items():
            outputs.setdefault(name, np.zeros((len(token_ids), values.shape[1]), np.float32))[chosen] = values
    return outputs
