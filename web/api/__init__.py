"""HTTP API v1: one module a modality, views beside their schemas."""
