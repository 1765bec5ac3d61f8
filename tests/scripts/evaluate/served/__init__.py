"""Tests of scripts/evaluate/served/."""
