"""Connections, read only: their state and what is no secret; passwords are never told."""

from typing import Any

from flask import Blueprint
from pydantic import BaseModel

from pilot.api import operation
from pilot.engine.people.api_tokens import Scope
from pilot.reports import connections as report
from pilot.views import reading, signed_in

bp = Blueprint("api_connections", __name__)


class Connections(BaseModel):
    """One's own connections and those that are shared, by plugin and name."""

    items: list[dict[str, Any]]


@operation(bp, "/connections", scope=Scope.SETTINGS_READ, gives=Connections)
def index() -> dict[str, Any]:
    """List connections with their state, last test and last use."""
    with reading() as session:
        lines = report.listed(session, signed_in())
    return {"items": [report.told(one) for one in lines]}
