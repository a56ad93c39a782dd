"""The worker of the web server, with less patience than people get."""

from pilot import serving
from pilot.serving import Worker

__all__ = ["Worker"]

serving.PATIENCE_S = 1.0
serving.UNTAKEN_MS = 1_000
