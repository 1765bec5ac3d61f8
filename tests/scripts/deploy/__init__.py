"""Tests of scripts/deploy/."""
