"""Tests of scripts/data/."""
