"""Starts what Pilot consists of: PostgreSQL, Valkey, the web server, the worker."""

from pilot.services.schema import migrate, prepare_roles

__all__ = ["migrate", "prepare_roles"]
