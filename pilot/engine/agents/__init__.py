"""Agents and their versions: named, shared, archived, carried to other installations."""
