"""The registry of step types: one file each, found by its name."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from pilot.errors import NotFoundError


@cache
def names() -> tuple[str, ...]:
    """Return the names of all step types, without loading any."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


@cache
def load(name: str) -> ModuleType:
    """Return the module of a step type; its `Params` are the fields of such a step.

    Raises:
        NotFoundError: there is no such step type.
    """
    if name not in names():
        raise NotFoundError(f"There is no step type {name!r}. Present: {', '.join(names())}.")
    return importlib.import_module(f"{__name__}.{name}")
