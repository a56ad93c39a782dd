"""Finds the pages by their file names and builds the navigation a visitor may use."""

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from flask import Flask, url_for

from pilot import api, views
from pilot.engine.people.levels import Level
from pilot.errors import UnavailableError
from pilot.views import Visitor
from pilot.web.security import allowed

SPRITE = Path(__file__).parent.parent / "static" / "icons.svg"
SYMBOL = re.compile(r'<symbol id="([^"]+)"')
GROUPS = ("Work", "Insight", "Set up", "Help")


@dataclass(frozen=True)
class Entry:
    """One page in the navigation; `counter` says how many things wait there for the visitor."""

    name: str
    group: str
    label: str
    order: int
    allow: Level
    icon: str
    counter: Callable[[Visitor], int] | None


@dataclass(frozen=True)
class Link:
    """An entry as one visitor sees it."""

    name: str
    label: str
    url: str
    icon: str
    count: int = 0


def page_modules() -> list[ModuleType]:
    """Return the modules of pilot/views that are pages: those with a blueprint `bp`."""
    return _modules(views)


def _modules(package: ModuleType) -> list[ModuleType]:
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
    ]
    return [module for module in modules if hasattr(module, "bp")]


def entries(modules: list[ModuleType]) -> list[Entry]:
    """Return the navigation that the pages declare as `NAV = (group, label, order, allow)`.

    A page may also have `nav_count(visitor) -> int`. Its icon is the symbol of the sprite with the
    blueprint's name.
    """
    icons = set(SYMBOL.findall(SPRITE.read_text()))
    found = []
    for module in modules:
        if hasattr(module, "NAV"):
            counter = getattr(module, "nav_count", None)
            group, label, order, allow = module.NAV
            name = module.bp.name
            icon = name.replace("_", "-") if name.replace("_", "-") in icons else "page"
            found.append(Entry(name, group, label, order, allow, icon, counter))
    return sorted(found, key=lambda entry: (GROUPS.index(entry.group), entry.order, entry.label))


def for_visitor(known: list[Entry], who: Visitor) -> list[tuple[str, list[Link]]]:
    """Return groups of links to the pages this visitor may see."""
    groups: dict[str, list[Link]] = {}
    for entry in known:
        if allowed(who, entry.allow):
            count = _count(entry, who)
            url = url_for(f"{entry.name}.index")
            link = Link(entry.name, entry.label, url, entry.icon, count)
            groups.setdefault(entry.group, []).append(link)
    return list(groups.items())


def _count(entry: Entry, who: Visitor) -> int:
    try:
        return entry.counter(who) if entry.counter else 0
    except UnavailableError:
        return 0  # the page around an error must not fail too


def register_pages(app: Flask) -> list[Entry]:
    """Register every page with `app` and return the navigation."""
    modules = page_modules()
    for module in (*modules, *_modules(api)):
        app.register_blueprint(module.bp)
    return entries(modules)
