"""Emotion classification of speech recordings."""
