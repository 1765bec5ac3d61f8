"""Tests of emotions/video/."""
