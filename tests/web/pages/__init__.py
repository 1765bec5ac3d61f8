"""Tests of web/pages/."""
