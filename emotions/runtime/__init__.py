"""Model files: the manifest, download from a bucket, the LiteRT runtime and the memory budget."""
