"""Export, publication and vendored files."""
