"""Catalog's pages: what viewers see, and what studios do."""
