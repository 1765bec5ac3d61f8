"""Training: networks, optimisation, heads, soft labels."""
