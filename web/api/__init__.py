"""HTTP API v1: a module for each resource, its views beside their schemas."""
