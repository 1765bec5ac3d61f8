"""Face detection, alignment and expression classification."""
