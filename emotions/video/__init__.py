"""Videos: decoding, face tracking, timelines and annotated copies."""
