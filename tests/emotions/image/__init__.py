"""Tests of emotions/image/."""
