"""Formats of videos: their recognition, checks before they are decoded, and animated pictures."""
