"""Tests of emotions/runtime/."""
