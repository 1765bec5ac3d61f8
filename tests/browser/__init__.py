"""Tests of the pages in Chromium, driven by Playwright."""
