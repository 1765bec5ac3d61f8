"""Benchmarks of speed and memory, against baselines, and their reports."""
