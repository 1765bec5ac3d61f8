"""The OpenAPI document: what APIFlask derives from the code, bodies, named types, examples and code samples."""
