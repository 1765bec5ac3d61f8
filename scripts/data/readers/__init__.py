"""Readers of published face data sets and of own folders, one module for each form; all return a `Reading`."""
