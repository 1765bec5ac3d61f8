"""Demo applications."""
