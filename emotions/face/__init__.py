"""Faces of one image: detection, alignment, expression classification, explanation and annotation."""
