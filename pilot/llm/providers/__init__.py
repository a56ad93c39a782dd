"""The registry of providers: one file each, found by its name; `send` is one request."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from pilot.errors import NotFoundError


@cache
def names() -> tuple[str, ...]:
    """Return the names of all providers, without loading any."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def load(name: str) -> ModuleType:
    """Return the module of a provider; its `send(request, model) -> Reply` asks once.

    Raises:
        NotFoundError: there is no such provider.
    """
    if name not in names():
        raise NotFoundError(f"There is no provider {name!r}. Present: {', '.join(names())}.")
    return importlib.import_module(f"{__name__}.{name}")
