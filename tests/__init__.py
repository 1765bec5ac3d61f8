"""Tests, in the folders of what they test; modules beside this one are shared helpers, and tests of the files at the root."""
