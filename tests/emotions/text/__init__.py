"""Tests of emotions/text/."""
