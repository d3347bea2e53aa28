"""The demo: invented studios, titles, releases and people."""

from .seeding import seed

__all__ = ["seed"]
