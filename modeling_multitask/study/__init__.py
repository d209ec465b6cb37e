"""A recipe trained in several ways and compared."""
