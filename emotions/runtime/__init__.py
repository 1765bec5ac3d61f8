"""Model files, the LiteRT runtime and the memory budget."""
