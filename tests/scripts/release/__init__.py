"""Tests of scripts/release/."""
