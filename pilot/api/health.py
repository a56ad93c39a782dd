"""Whether all parts are there, for programs that watch."""

from typing import Any, Literal

from flask import Blueprint
from pydantic import BaseModel

from pilot.api import operation
from pilot.engine.people.api_tokens import Scope
from pilot.views.health import missing_parts

bp = Blueprint("api_health", __name__)


class Health(BaseModel):
    """What is missing; nothing: it is ready."""

    ready: bool
    missing: list[Literal["database", "migrations", "queue", "worker"]]


@operation(bp, "/health", scope=Scope.SETTINGS_READ, gives=Health)
def index() -> Any:
    """Return whether database, migrations, queue and a live worker are there; 200 also if not."""
    missing = missing_parts()
    return {"ready": not missing, "missing": missing}
