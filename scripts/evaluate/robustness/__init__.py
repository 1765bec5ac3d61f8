"""Robustness of the served models, and of the package fer, against common corruptions of pictures: benchmarks/robustness.md."""
