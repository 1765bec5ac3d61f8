"""Readers for face data sets in the form that their owners publish: a module each, all giving a `Reading`."""
