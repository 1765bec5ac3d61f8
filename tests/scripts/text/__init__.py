"""Tests of scripts/text/."""
