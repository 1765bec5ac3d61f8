"""Tests of web/http/."""
