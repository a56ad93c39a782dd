"""The web application: configuration, extensions, pages, guards, error answers."""

import hashlib
from datetime import datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Flask, current_app, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine

from pilot import db
from pilot.config import Config
from pilot.errors import ConfigError
from pilot.views import THEMES, Visitor, visitor
from pilot.web import assets, errors, kit, limits, requests, security, visitors
from pilot.web.navigation import Entry, Link, for_visitor, register_pages


class PageDatabase(SQLAlchemy):
    """Flask-SQLAlchemy over the tables and the engine that everything else uses."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        """Return the process' engine instead of a second pool."""
        del bind_key, options, app
        return db.engine()


class Page:
    """What base.html shows around a page, read only when it is rendered."""

    themes = THEMES

    def __init__(self, known: list[Entry], version_text: str) -> None:
        self._known = known
        self.version = version_text

    @property
    def visitor(self) -> Visitor:
        """Who reads."""
        return visitor()

    @property
    def theme(self) -> str:
        """The browser's theme."""
        return visitors.theme()

    @property
    def current(self) -> str:
        """The page's name in the navigation; of a page below another one, that one's."""
        links = [link for _, group in self.navigation for link in group]
        above = [link.name for link in links if request.path.startswith(f"{link.url}/")]
        return above[0] if above else (request.blueprint or "")

    @property
    def url(self) -> str:
        """The full URL, printed at the foot of a page."""
        return f"{current_app.config['URL']}{request.full_path.rstrip('?')}"

    @property
    def now(self) -> datetime:
        """The moment of rendering."""
        return db.now()

    @cached_property
    def navigation(self) -> list[tuple[str, list[Link]]]:
        """The pages this visitor may see, in groups; none for anonymous ones."""
        who = visitor()
        return for_visitor(self._known, who) if who.is_authenticated else []

    @property
    def waiting(self) -> list[Link]:
        """The pages on which something waits for this visitor."""
        return [link for _, links in self.navigation for link in links if link.count]


def _version() -> str:
    try:
        return version("pilot")
    except PackageNotFoundError:
        return "from source"


def _signing_key(key: str) -> str:
    """Derive the key that signs page cookies: the vault's own key signs nothing."""
    return hashlib.blake2b(key.encode(), person=b"pilot page").hexdigest()


def settings_of(config: Config) -> dict[str, Any]:
    """Return what an application keeps of the configuration, by its names in `app.config`.

    Raises:
        ConfigError: no secret keys.
    """
    if not config.secret_keys:
        raise ConfigError("There are no secret keys yet; `pilot up` makes them.")
    newest, *older = (_signing_key(key) for key in config.secret_keys)
    sign_in, page_cookie = visitors.cookie_names(newest, https=config.has_https)
    return {
        "SECRET_KEY": newest,
        "SECRET_KEY_FALLBACKS": older,
        "DATA": config.data,
        "URL": config.url,
        "METRICS_TOKEN": config.metrics_token,
        "HAS_MODELS": config.script is not None,
        "EGRESS_ALLOW": config.egress_allow,
        "SIGN_IN_COOKIE": sign_in,
        "SESSION_COOKIE_NAME": page_cookie,
        "SESSION_COOKIE_SECURE": config.has_https,
    }


def create_app(config: Config) -> Flask:
    """Return the application, ready for a WSGI server; `db.configure` was called before.

    Raises:
        ConfigError: no secret keys.
    """
    app = Flask("pilot")
    app.config.update(
        settings_of(config),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SQLALCHEMY_DATABASE_URI="postgresql+psycopg://",  # asked for, not used: see PageDatabase
    )
    requests.install(app)
    PageDatabase(metadata=db.Base.metadata).init_app(app)
    visitors.install(app)
    security.install(app, https=config.has_https)
    limits.install(app, config.redis_url)
    assets.install(app)
    known = register_pages(app)
    kit.install(app)
    errors.install(app)
    shown = _version()
    app.context_processor(lambda: {"page": Page(known, shown)})
    return app
