"""Tests of scripts/evaluate/."""
