"""Image decoding: formats, limits and conversion to RGB."""
