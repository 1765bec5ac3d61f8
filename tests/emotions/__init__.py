"""Tests of emotions/."""
