"""Tests of scripts/train/."""
