"""Emotion classification of speech recordings: audio decoding, features, classifier."""
