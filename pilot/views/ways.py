"""Addresses of pages: where a person came from, and where Pilot leads them back to."""

import re
from urllib.parse import unquote, urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException

UP_TO_AN_ID = re.compile(r".*/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)")


def safe_path(text: str | None) -> str:
    """Return `text` when it is the path of a page on this origin, else "/".

    For `next=` and links back: what takes a POST alone is no page.
    """
    given = text or "/"
    decoded = unquote(given)
    path = given.partition("?")[0].lower()
    safe = (
        given.startswith("/")
        and given.isascii()
        and decoded.isprintable()
        and "\\" not in decoded
        and not any(part in path for part in ("//", "%2f", "%5c", "/."))
    )
    return given if safe and _has_page(given) else "/"


def came_from() -> str:
    """Return the page of this origin on which the visitor pressed, else "/"."""
    before = request.referrer or ""
    if not is_here(before):
        return "/"
    parts = urlsplit(before)
    return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def is_here(url: str) -> bool:
    """Return whether a URL that a browser sent, of any form, is of this origin."""
    try:
        return urlsplit(url).netloc == request.host
    except ValueError:
        return False


def present_page() -> str:
    """Return the page that shows how what a request is about stands, else where it came from."""
    found = UP_TO_AN_ID.match(request.path)
    path = found[0] if found else ""
    while path and not _has_page(path):
        path = path.rpartition("/")[0]
    return path or came_from()


def _has_page(path: str) -> bool:
    routes = current_app.url_map.bind(request.host)
    try:
        routes.match(unquote(re.split("[?#]", path, maxsplit=1)[0]), method="GET")
    except HTTPException:  # unknown, or for other methods
        return False
    return True
