"""`pilot doctor`: what an installation needs, looked at one by one."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from pilot import audit, db, settings
from pilot.config import Config
from pilot.engine import model_lint
from pilot.errors import ConfigError, PilotError
from pilot.services import schema, up, valkey


@dataclass(frozen=True)
class Finding:
    """One check and what it found."""

    check: str
    ok: bool
    message: str


def examine(config: Config) -> list[Finding]:
    """Run every check; those that need a database that does not answer fail for that reason."""
    checks: dict[str, Callable[[Config], str]] = {
        "database": _database,
        "row security": _row_security,
        "migrations": _migrations,
        "queue": _queue,
        "keys": _keys,
        "workers": _workers,
        "web": _web,
        "audit": _audit,
        "outbox": _outbox,
        "unknown outcomes": _unknown_outcomes,
        "models": _models,
    }
    db.configure(config.database_url)
    try:
        return [_finding(name, check, config) for name, check in checks.items()]
    finally:
        db.engine().dispose()


def _finding(name: str, check: Callable[[Config], str], config: Config) -> Finding:
    try:
        return Finding(name, ok=True, message=check(config))
    except PilotError as error:
        return Finding(name, ok=False, message=error.message)
    except (SQLAlchemyError, psycopg.Error):
        return Finding(name, ok=False, message="The database does not answer, or has no schema.")


def _database(config: Config) -> str:
    schema.check_server(config.database_url)
    return "answers; its roles respect row-level security"


def _row_security(config: Config) -> str:
    schema.check_row_security(config.database_url)
    return "forced on every table with an owner"


def _migrations(config: Config) -> str:
    present, newest = schema.revision(config.database_url), schema.head()
    if present != newest:
        raise ConfigError(f"The schema is {present or 'empty'}, not {newest}: run pilot migrate.")
    return f"at {newest}"


def _queue(config: Config) -> str:
    if not valkey.answers(config.redis_url):
        raise ConfigError("The queue does not answer: work goes on, up to a second later.")
    return "answers"


def _keys(config: Config) -> str:
    if not config.secret_keys:
        raise ConfigError("There is no secret key: start pilot up once, or set PILOT_SECRET_KEYS.")
    return f"{len(config.secret_keys)} readable"


def _workers(_config: Config) -> str:
    live = _count(
        "SELECT count(*) FROM worker WHERE stopped_at IS NULL AND lease_until > pilot_now()"
    )
    if not live:
        raise ConfigError("No worker lives: start pilot worker.")
    return f"{live} alive"


def _web(config: Config) -> str:
    if not up.answers(config):
        raise ConfigError(f"{config.url}/healthz is not ready.")
    return f"ready at {config.url}"


def _audit(_config: Config) -> str:
    with db.reading(None, sees_all=True) as session:
        count, faults = audit.verify(session)
    if faults:
        first = faults[0]
        raise ConfigError(
            f"{first.chain} record {first.seq}: {first.reason} ({len(faults)} chains)"
        )
    return f"{count} records verified"


def _outbox(_config: Config) -> str:
    late = _count(
        "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND dropped_at IS NULL "
        "AND (dead_at IS NOT NULL OR due_at < pilot_now() - interval '5 minutes')"
    )
    if late:
        raise ConfigError(f"Messages late or given up: {late}.")
    return "nothing late"


def _unknown_outcomes(_config: Config) -> str:
    unknown = _count("SELECT count(*) FROM step_execution WHERE status = 'unknown'")
    if unknown:
        raise ConfigError(
            f"Steps that may or may not have happened: {unknown}. Answer on their pages."
        )
    return "none"


def _models(_config: Config) -> str:
    with db.reading(None) as session:
        values, _ = settings.snapshot(session)
        found = model_lint.lint(session, values)
    told = " ".join(one.message for one in found)
    if any(one.severity == "error" for one in found):
        raise ConfigError(told)
    return told or "chosen ones are priced, live and have their keys"


def _count(statement: str) -> int:
    with db.reading(None, sees_all=True) as session:
        return int(session.execute(text(statement)).scalar_one())
