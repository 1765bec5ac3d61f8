"""Tests of scripts/report/."""
