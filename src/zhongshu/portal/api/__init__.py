"""The REST interface: one resource per kind, one error shape, described by OpenAPI 3.1."""
