"""Uploads, error responses, security headers and logging."""
