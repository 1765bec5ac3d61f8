"""Sentences made for training: emoticons and emoji after statements without emotion, and negated emotions.

GoEmotions has few of either. The sentences are other ones than those of checklist.toml, on which the model is tested.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emotions.labels import EMOTIONS

from .corpora import Corpus

FINE = {name: {"happy": "joy", "sad": "sadness"}.get(name, name) for name in EMOTIONS}
"""Emotion to GoEmotions' fine label of the same meaning."""
SIGNS = {
    "anger": "😡 😠 🤬 👿 >:( >:[ ಠ益ಠ (ノಠ益ಠ)ノ",
    "disgust": "🤢 🤮 🤧 :& :-#",
    "fear": "😱 😨 😰 😧 D: D:",
    "happy": "😀 😃 😊 🙂 ☺ 😁 🥰 😍 ❤ 🎉 :) :-] :D =D <3 ^^ xD",
    "sad": "😢 😭 😞 😔 ☹ 🙁 💔 :( :-( :'( =[ T_T ;_; </3",
    "surprise": "😮 😲 😯 🤯 :O :-O O_O o.O",
}
"""Emotion to emoji and emoticons for it, separated by spaces."""
ADJECTIVES = {
    "anger": "angry furious mad annoyed irritated outraged livid resentful bitter cross",
    "disgust": "disgusted disgusting gross repulsive revolting sickening vile foul nasty nauseating",
    "fear": "afraid scared frightened terrified anxious nervous worried petrified uneasy panicked",
    "happy": "happy glad pleased delighted excited cheerful proud thrilled content joyful",
    "sad": "sad unhappy miserable heartbroken depressed gloomy lonely devastated disappointed down",
    "surprise": "surprised astonished amazed shocked stunned startled speechless baffled",
}
"""Emotion to adjectives for it."""
AFFIRMED = (
    "{who} {be} {adjective}.",
    "{who} {be} really {adjective} right now.",
    "{who} felt {adjective} all week.",
    "to be honest {who} {be} {adjective}",
    "{who} got so {adjective} yesterday",
    "{who} {be} still {adjective}!",
    "looking back, {who} {be} {adjective}",
    "{who} never felt so {adjective}",
)
NEGATED = (
    "{who} {be} not {adjective}.",
    "{who} {be} not at all {adjective} right now.",
    "{who} never felt {adjective} that week.",
    "to be honest {who} {be}n't {adjective}",
    "{who} did not get {adjective} yesterday",
    "{who} {be} no longer {adjective}",
    "looking back, {who} {be} never {adjective}",
    "no one there felt {adjective}",
    "there was nothing {adjective} about that",
    "why would anyone be {adjective}? {who} {be} not.",
)
PEOPLE = (
    ("he", "was"),
    ("she", "was"),
    ("they", "were"),
    ("we", "were"),
    ("my brother", "is"),
    ("the teacher", "is"),
    ("you", "were"),
)
"""Subject and verb."""


def made_sentences(statements: Sequence[str], count: int, random: np.random.Generator) -> list[tuple[str, str]]:
    """Make sentences with their emotions.

    Args:
        statements: Texts without emotion, to which signs are appended.
        count: Number of sentences: a half with signs, a quarter affirmed and a quarter negated.
        random: Random generator.

    Returns:
        Pairs of a text and its emotion. A negated emotion is neutral, happiness negated is sad.
    """
    made = []
    for number in range(count):
        emotion = str(random.choice(list(SIGNS)))
        if number % 2:
            sign = str(random.choice(SIGNS[emotion].split()))
            statement = str(random.choice(np.asarray(statements, object))) if random.random() < 0.8 else ""
            made.append((f"{statement} {sign * int(random.integers(1, 3)) if not sign.isascii() else sign}".strip(), emotion))
            continue
        negated = number % 4 == 0
        template = str(random.choice(NEGATED if negated else AFFIRMED))
        who, be = PEOPLE[random.integers(len(PEOPLE))]
        text = template.format(who=who, be=be, adjective=random.choice(ADJECTIVES[emotion].split()))
        made.append((text, ("sad" if emotion == "happy" else "neutral") if negated else emotion))
    return made


def extended(corpus: Corpus, count: int, random: np.random.Generator) -> Corpus:
    """Return a corpus with `count` sentences made from its statements, with one label each."""
    neutral = EMOTIONS.index("neutral")
    alone = (corpus.seven[:, neutral] == 1) & (corpus.seven.sum(axis=1) == 1)
    made = made_sentences([text for text, plain in zip(corpus.texts, alone, strict=True) if plain], count, random)
    seven, fine = np.zeros((len(made), len(EMOTIONS)), np.float32), np.zeros((len(made), len(corpus.names)), np.float32)
    for row, (_, emotion) in enumerate(made):
        seven[row, EMOTIONS.index(emotion)] = 1
        if FINE[emotion] in corpus.names:
            fine[row, corpus.names.index(FINE[emotion])] = 1
    texts = [*corpus.texts, *(text for text, _ in made)]
    return Corpus(texts, np.concatenate([corpus.seven, seven]), np.concatenate([corpus.fine, fine]), corpus.names)
