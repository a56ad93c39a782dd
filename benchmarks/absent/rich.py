"""Hides what a developer has and an installation has not: `structlog` would load it, 4 MB."""

raise ImportError
