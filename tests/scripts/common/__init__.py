"""Tests of scripts/common/."""
