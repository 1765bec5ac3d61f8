"""Emotion classification of English text."""
