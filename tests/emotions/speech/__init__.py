"""Tests of emotions/speech/."""
