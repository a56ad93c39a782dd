"""What load balancers and `pilot up` ask: is this process alive, is everything there."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

import pilot
from pilot import db, jobs
from pilot.errors import PilotError
from pilot.views import PUBLIC, json_answer, route

bp = Blueprint("health", __name__)

ANSWERS_WITHIN_S = 3.0
_looks = ThreadPoolExecutor(1, thread_name_prefix="health")
REVISION = text("SELECT version_num FROM alembic_version")
LIVE_WORKER = text(
    "SELECT EXISTS (SELECT 1 FROM worker WHERE stopped_at IS NULL AND lease_until > pilot_now())"
)


@route(bp, "/healthz", allow=PUBLIC)
def ready() -> ResponseReturnValue:
    """Answer 200 when database, migrations, queue and a live worker are there, else 503."""
    missing = missing_parts()
    return json_answer({"ready": not missing, "missing": missing}, status=503 if missing else 200)


@route(bp, "/health/live", allow=PUBLIC)
def live() -> ResponseReturnValue:
    """Answer 200 while this process serves requests."""
    return json_answer({"live": True})


def missing_parts() -> list[str]:
    """Return which of database, migrations, queue and worker are not there."""
    return _missing_in_time() + ([] if jobs.answers() else ["queue"])


def _missing_in_time() -> list[str]:
    """Ask the database, for so long: one that is frozen ends no statement."""
    look = _looks.submit(_missing_in_database)
    try:
        return look.result(ANSWERS_WITHIN_S)
    except TimeoutError:
        look.cancel()  # those that wait behind one that hangs
        return ["database"]


def _missing_in_database() -> list[str]:
    try:
        with db.reading(None) as session:
            if session.scalar(REVISION) != newest_migration():
                return ["migrations"]
            return [] if session.scalar(LIVE_WORKER) else ["worker"]
    except ProgrammingError:
        return ["migrations"]  # an empty database has no such tables
    except PilotError:
        return ["database"]


@cache
def newest_migration() -> str:
    """Return the revision that this code needs: the number of its newest migration."""
    folder = Path(pilot.__path__[0]).parent / "migrations" / "versions"
    return max(path.name[:4] for path in folder.glob("[0-9]*.py"))
