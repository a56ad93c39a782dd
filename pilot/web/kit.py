"""What templates may use: the macros of templates/ui, the formats, and where the page stands."""

import json
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import nh3
from flask import Flask
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from pilot import db, money, strictjson
from pilot.plugins._markup import shallow
from pilot.views import formats, graph_layout, lists, wants_fragment, zone
from pilot.web import pictures
from pilot.web.security import nonce

HEADING = re.compile(r"<(/?)h[1-6]>")
START_S, PAUSE_S = 3.0, 0.05
NAMED = re.compile(r"\bexecution ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
KEY = re.compile(r'"(?:[^"\\]|\\.)*":')


def _told(words: str) -> Markup:
    """Return a sentence of the engine with local times, and links in the place of long ids."""
    local = str(escape(formats.local_times(words, zone())))
    return Markup(NAMED.sub(_link, local))  # noqa: S704 - escaped, and an id has nothing to escape


def _link(found: re.Match[str]) -> str:
    return f'<a href="/executions/{found[1]}">execution {formats.short_id(found[1])}</a>'


FILTERS: dict[str, Callable[..., Any]] = {
    "money_text": money.usd,
    "money_exact": money.exact,
    "money_sum": money.total,
    "money_estimate": money.estimate,
    "count": formats.count,
    "count_short": formats.count_short,
    "duration": formats.duration,
    "fact": formats.fact,
    "told": _told,
    "local_times": lambda words: formats.local_times(words, zone()),
    "rate": formats.rate,
    "size": formats.size,
    "sanitised": lambda text: Markup(_clean(text)),  # noqa: S704 - nh3 cleaned it
    "short_id": formats.short_id,
    "plural": formats.plural,
}


def _clean(text: str) -> str:
    """Return HTML of a mail without what could act or hide: text, tables and links stay.

    Its headings become strong lines: they are not headings of the page.
    """
    clean = nh3.clean(
        shallow(text),
        tags=nh3.ALLOWED_TAGS - {"img", "map", "area"},
        attributes={"td": {"align"}, "th": {"align"}, "a": {"href"}},
    )
    return HEADING.sub(lambda found: "</p>" if found[1] else '<p class="strong">', clean)


def htmx_nonce() -> Markup:
    """Return the `hx-nonce` attribute that every element with htmx attributes needs."""
    return Markup('hx-nonce="{}"').format(nonce())


def absolute(at: datetime, *, seconds: bool = False) -> str:
    """Return a moment in the visitor's zone, named."""
    return formats.absolute(at, zone(), seconds=seconds)


def clock(at: datetime) -> str:
    """Return a time of day with seconds in the visitor's zone, named."""
    return formats.clock(at, zone())


def ago_text(at: datetime) -> str:
    """Return how long ago `at` was."""
    return formats.ago(at, db.now(), zone())


def iso(at: datetime) -> str:
    """Return the UTC form for `<time datetime>`."""
    return str(strictjson.plain(at))


def json_lines(value: Any) -> list[tuple[str, str, str]]:
    """Return indented JSON as lines of (indent, key with its colon, rest)."""
    lines = []
    for line in json.dumps(strictjson.plain(value), indent=2, ensure_ascii=False).splitlines():
        bare = line.lstrip()
        indent = line[: len(line) - len(bare)]
        key = KEY.match(bare)
        lines.append((indent, key[0], bare[key.end() :]) if key else (indent, "", bare))
    return lines


def _macros(app: Flask) -> dict[str, Any]:
    """Return every macro of templates/ui by its name.

    Raises:
        ValueError: two files define the same macro.
    """
    found: dict[str, Any] = {}
    for name in app.jinja_env.list_templates(filter_func=lambda name: name.startswith("ui/")):
        module = app.jinja_env.get_template(name).module
        macros = {k: v for k, v in vars(module).items() if k[0] != "_" and callable(v)}
        if found.keys() & macros.keys():
            raise ValueError(f"{name} repeats {sorted(found.keys() & macros.keys())}")
        found |= macros
    return found


def install(app: Flask) -> None:
    """Register formats and macros. Macros are globals: a block rendered alone keeps them."""
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.undefined = StrictUndefined
    env.filters.update(FILTERS)
    env.globals.update(
        htmx_nonce=htmx_nonce,
        nonce=nonce,
        here=lists.here,
        absolute=absolute,
        clock=clock,
        ago_text=ago_text,
        iso=iso,
        json_lines=json_lines,
        look=formats.look,
        statuses=formats.STATUSES,
        graph_layout=graph_layout.layout,
        picture=pictures.picture,
        new_request_id=lambda: str(uuid4()),
        zone_name=lambda: str(zone()),
        wants_fragment=wants_fragment,
    )
    macros = _macros(app)
    env.globals.update(macros)
    app.config["MACROS"] = frozenset(macros)


def compile_templates(app: Flask) -> threading.Thread:
    """Compile all templates in a thread of its own: the first visitor of a page need not wait."""
    thread = threading.Thread(target=_compile, args=(app.jinja_env,), name="templates", daemon=True)
    thread.start()
    return thread


def _compile(env: Environment) -> None:
    pause = threading.Event()
    pause.wait(START_S)  # in which this process and the others of Pilot begin to answer
    for name in env.list_templates():
        pause.wait(PAUSE_S)  # in which those who are there already are answered
        env.get_template(name)
