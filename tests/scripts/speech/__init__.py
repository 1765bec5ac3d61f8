"""Tests of scripts/speech/."""
