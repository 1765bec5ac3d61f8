"""Generated documents: README tables, screenshots, notebooks, plots."""
