"""Data sets: fetching, reading, label sets and splits."""
