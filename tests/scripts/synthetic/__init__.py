"""Tests of scripts/synthetic/."""
