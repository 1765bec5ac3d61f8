"""Video decoding, face tracking and timelines."""
