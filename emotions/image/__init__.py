"""Image decoding: formats, limits, orientation and conversion to RGB."""
