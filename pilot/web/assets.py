"""Files below static/: named by the hash of their content, sent compressed."""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request, url_for

STATIC = Path(__file__).parent.parent / "static"
TEXTS = frozenset({"text/css", "text/javascript", "image/svg+xml"})


@lru_cache(maxsize=64)
def _hash(path: Path, _modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@lru_cache(maxsize=64)
def _compressed(path: Path, _modified_ns: int) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


def asset(name: str) -> str:
    """Return the URL of a file below static/ with the hash of its content, kept for a year."""
    return _url(request.script_root, name, _path(name).stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _path(name: str) -> Path:
    return STATIC / name


@lru_cache(maxsize=64)  # a page names the file of its icons a hundred times
def _url(_script_root: str, name: str, modified_ns: int) -> str:
    return url_for("static", filename=name, v=_hash(_path(name), modified_ns))


def compress(response: Response) -> Response:
    """Send scripts, styles and pictures compressed; pages hold secrets and are never compressed."""
    if request.endpoint != "static" or response.mimetype not in TEXTS:
        return response
    response.vary.add("Accept-Encoding")
    plain = response.status_code != 200 or "Range" in request.headers
    if plain or not request.accept_encodings["gzip"]:
        return response
    path = STATIC / (request.view_args or {})["filename"]
    response.close()  # the file that would have been streamed
    response.direct_passthrough = False
    response.set_data(_compressed(path, path.stat().st_mtime_ns))
    response.headers["Content-Encoding"] = "gzip"
    etag, _ = response.get_etag()
    response.set_etag(f"{etag}-gzip")
    return response


def install(app: Flask) -> None:
    """Let templates name files by `asset`, and compress what is sent."""
    app.jinja_env.globals["asset"] = asset
    app.after_request(compress)
