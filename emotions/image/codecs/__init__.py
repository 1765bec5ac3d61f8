"""Image codecs: what is read of a file before it is decoded, the memory that takes, and the decode."""
