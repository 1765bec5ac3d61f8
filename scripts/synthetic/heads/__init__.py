"""Rendered 3D characters with known expressions: head model, FACS recipes, characters, renderer, and the set made of them."""
