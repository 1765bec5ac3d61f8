"""Emotion classification of English text: language check, tokenizer, classifier, attribution."""
