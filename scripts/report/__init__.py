"""Model cards and reports."""
