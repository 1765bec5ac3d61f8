"""Readers of published face data sets, one module each; all return a `Reading`."""
