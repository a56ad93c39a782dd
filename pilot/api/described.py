"""The API describes itself: OpenAPI 3.1, without a token."""

from typing import Any

from flask import Blueprint, Response, current_app

from pilot.api import SPEC, public
from pilot.views import json_answer

bp = Blueprint("api_described", __name__)


@public(bp, "/openapi.json")
def openapi() -> Response:
    """Return the description of all operations."""
    return json_answer(describe())


def describe() -> dict[str, Any]:
    """Return the OpenAPI document of the present application."""
    SPEC.app = current_app
    found: dict[str, Any] = SPEC.spec
    return found
