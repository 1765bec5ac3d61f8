"""Geometry of characters: the head model, its proportions, and meshes that are fixed to it."""
