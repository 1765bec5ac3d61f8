"""Defaults of face analysis, importable without loading NumPy."""

from __future__ import annotations

DEFAULT_HEAD = "mixed"
"""The head that is used where none is named: in the library, on the pages, in the API and on the command line."""

VIEWS = (1, 2, 10)
"""Choices of `views`, the number of views of a face over which a prediction is averaged, see views.py."""
REQUEST_VIEWS = (1, 2)
"""Choices of a request to the server: ten views take as long as ten faces."""
DEFAULT_VIEWS = 1
"""Views where no number is given: in the library, on the pages, in the API, on the command line and in batches."""
