"""Synthetic (cartoon) faces: styles, rendering, framing, patches, negatives."""
