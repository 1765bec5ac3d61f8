"""Tests of emotions/face/."""
