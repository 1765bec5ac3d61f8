"""Tests of scripts/train/gpu, on a CPU."""
