"""`pilot doctor`: what an installation needs, looked at one by one."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from pilot import audit, db, settings, vault
from pilot.config import KEYS_FILE, Config, read_secret_keys
from pilot.engine.providers import model_lint, provider_keys
from pilot.engine.secrets import connections, sealed
from pilot.engine.upkeep import anchors
from pilot.errors import BadJsonError, ConfigError, PilotError, UnavailableError
from pilot.models.connection import Connection
from pilot.models.provider import Provider
from pilot.models.setting import Setting
from pilot.services import installation, schema, up, valkey

log = structlog.get_logger()

LEAST_FREE_BYTES = 2**30
MOST_APART_S = 5.0
OLD_BACKUP_DAYS = 7
BACKUPS = """
SELECT extract(day FROM pilot_now() - (
         SELECT max(at) FROM audit WHERE event = 'BACKUP_CREATED'))::int AS days,
       extract(day FROM pilot_now() - (SELECT min(created_at) FROM app_user))::int AS age_days
"""
RESTING = """
SELECT model_id FROM model_state
 WHERE open_until > pilot_now() AND model_id !~ '^(connection|host):' ORDER BY model_id
"""


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
        "data folder": _data_folder,
        "disk": _disk,
        "clock": _clock,
        "keys": _keys,
        "secrets": _secrets,
        "backups": _backups,
        "workers": _workers,
        "web": _web,
        "audit": _audit,
        "outbox": _outbox,
        "unknown outcomes": _unknown_outcomes,
        "settings": _settings,
        "models": _models,
        "provider keys": _provider_keys,
        "model connections": _breakers,
        "connections": _connections,
        "budgets": _budgets,
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
    except OSError as error:
        told = f"{error.filename or 'A file'} cannot be read: {error.strerror}."
        return Finding(name, ok=False, message=told)
    except Exception as error:  # the seam of one check: the others are still shown
        log.warning("check_failed", check=name, exc_info=True)
        told = f"This check failed itself ({type(error).__name__}): the log says where."
        return Finding(name, ok=False, message=told)


def _database(config: Config) -> str:
    schema.check_server(config.database_url)
    return "answers; its roles respect row-level security"


def _row_security(config: Config) -> str:
    schema.check_row_security(config.database_url)
    return "forced on every table with an owner"


def _migrations(config: Config) -> str:
    present, newest = schema.revision(config.database_url), schema.head()
    if present is not None and not schema.knows(present):
        raise ConfigError(
            f"The schema is {present}, of a newer Pilot; this one knows {newest}: update it."
        )
    if present != newest:
        raise ConfigError(f"The schema is {present or 'empty'}, not {newest}: run pilot migrate.")
    return f"at {newest}"


def _queue(config: Config) -> str:
    if not valkey.answers(config.redis_url):
        raise ConfigError(
            "The queue does not answer: work goes on, up to a second later. Start Valkey (pilot up "
            "runs its own), or correct REDIS_URL."
        )
    return "answers"


def _data_folder(config: Config) -> str:
    installation.refuse_unfinished_restore(config.data)
    if config.data.exists() and not config.data.is_dir():
        raise ConfigError(f"{config.data} is no folder: move it away, or set PILOT_DATA.")
    if config.data.is_dir() and not os.access(config.data, os.W_OK | os.X_OK):
        raise ConfigError(f"{config.data} cannot be written: change its owner (chown).")
    return f"{config.data}"


def _disk(config: Config) -> str:
    there = next(one for one in (config.data, *config.data.parents) if one.exists())
    database = (config.data / "postgres").resolve()  # elsewhere for root
    places = [there, *([database] if database.exists() else [])]
    usage, place = min(
        ((shutil.disk_usage(one), one) for one in places), key=lambda one: one[0].free
    )
    if usage.free < LEAST_FREE_BYTES:
        raise ConfigError(
            f"Only {usage.free / 2**20:,.0f} MiB are free at {place}: make room (old backups, "
            f"{config.data / 'logs'}), or delete what is old: pilot prune."
        )
    return f"{usage.free / 2**30:,.1f} GiB free"


def _clock(_config: Config) -> str:
    with db.reading(None) as session:
        before = db.now()
        theirs = session.execute(text("SELECT pilot_now()")).scalar_one()
    apart_s = abs((theirs - before).total_seconds())
    if apart_s > MOST_APART_S:
        raise ConfigError(
            f"The clocks of this machine and of the database differ by {apart_s:.0f} s: have both "
            "synchronised (timedatectl set-ntp true)."
        )
    return "agrees with the database's"


def _secrets(config: Config) -> str:
    vault.configure(config.secret_keys)
    count, older, lost = sealed.state()
    if lost:
        raise ConfigError(
            f"No key opens {', '.join(lost[:5])} ({len(lost)} in all): put back the key that "
            "sealed them (PILOT_SECRET_KEYS or the key file), or store them again."
        )
    told = f"{count} sealed, all can be opened"
    return f"{told}; {older} with an older key: pilot secrets rotate" if older else told


def _backups(_config: Config) -> str:
    with db.reading(None, sees_all=True) as session:
        row = session.execute(text(BACKUPS)).one()
    if row.days is None:
        if (row.age_days or 0) >= OLD_BACKUP_DAYS:
            raise ConfigError("There was never a backup: pilot backup FILE, best daily (cron).")
        return "none yet: pilot backup FILE"
    if row.days >= OLD_BACKUP_DAYS:
        raise ConfigError(
            f"The newest is {row.days} days old: pilot backup FILE, best daily (cron)."
        )
    return f"the newest is {row.days} days old"


def _keys(config: Config) -> str:
    keys = read_secret_keys(config.data)
    if keys:
        return f"{len(keys)} readable"
    back = (
        f"put the old key back ({config.data / KEYS_FILE}, or PILOT_SECRET_KEYS) before you start "
        "Pilot, which would make a new one that opens none of them."
    )
    try:
        count, _, _ = sealed.state()
    except (SQLAlchemyError, psycopg.Error, UnavailableError):
        raise ConfigError(f"There is no secret key: if secrets are sealed here, {back}") from None
    if count:
        raise ConfigError(f"There is no secret key, but {count} secrets are sealed: {back}")
    raise ConfigError("There is no secret key: start pilot up once, or set PILOT_SECRET_KEYS.")


def _workers(_config: Config) -> str:
    live = _count(
        "SELECT count(*) FROM worker WHERE stopped_at IS NULL AND lease_until > pilot_now()"
    )
    if not live:
        raise ConfigError("No worker lives: start pilot worker.")
    return f"{live} alive"


def _web(config: Config) -> str:
    if not up.answers(config):
        raise ConfigError(f"{config.url}/healthz is not ready: start pilot up, or see its log.")
    return f"ready at {config.url}"


def _audit(config: Config) -> str:
    try:
        own = anchors.check_own(config.data)
    except BadJsonError as error:
        raise ConfigError(
            f"{config.data / anchors.FILE} is damaged: {error.message} Put a copy of it back; "
            "without one, move it away: workers begin another, which knows nothing of before."
        ) from error
    with db.reading(None, sees_all=True) as session:
        count, faults = audit.verify(session, marks=own.marks)
    faults = own.faults + faults
    if faults:
        first = faults[0]
        raise ConfigError(
            f"{first.chain} record {first.seq}: {first.reason} ({len(faults)} chains); find out "
            "who had access: pilot audit verify lists them, a backup says what they were"
        )
    return f"{count} records verified, with {own.count} anchors"


def _outbox(_config: Config) -> str:
    late = _count(
        "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND dropped_at IS NULL "
        "AND (dead_at IS NOT NULL OR due_at < pilot_now() - interval '5 minutes')"
    )
    if late:
        raise ConfigError(
            f"Messages late or given up: {late}. Workers send them: have one live, and have "
            "PILOT_SMTP_URL and the addresses of channels right."
        )
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


def _settings(_config: Config) -> str:
    with db.reading(None) as session:
        stored = {row.key: row.value for row in session.scalars(select(Setting))}
    known = {key: value for key, value in stored.items() if key in settings.SETTINGS}
    wrong = [
        issue.message
        for key, value in known.items()
        for issue in settings.SETTINGS[key].issues(value)
    ]
    wrong += [f"No setting is called {key}." for key in sorted(stored.keys() - known.keys())]
    if wrong:
        raise ConfigError(f"{' '.join(wrong)} Set them on System config, or: pilot setting set.")
    return f"{len(known)} set, {len(settings.SETTINGS) - len(known)} as delivered"


def _provider_keys(config: Config) -> str:
    vault.configure(config.secret_keys)
    with db.reading(None) as session:
        kept = session.scalars(select(Provider).where(Provider.sealed.is_not(None))).all()
        lost = []
        for provider in kept:
            try:
                provider_keys.connection(session, provider.name)
            except ConfigError as error:
                lost.append(f"{provider.label}: {error.message}")
    if lost:
        raise ConfigError(" ".join(lost))
    return f"{len(kept)} kept, all can be opened"


def _breakers(_config: Config) -> str:
    with db.reading(None) as session:
        resting = session.scalars(text(RESTING)).all()
    if resting:
        names = ", ".join(resting)
        raise ConfigError(
            f"Failed too often just now, and rests: {names}. Test it on Prices, or choose another."
        )
    return "no model rests after failures"


def _connections(_config: Config) -> str:
    with db.reading(None, sees_all=True) as session:
        rows = session.scalars(select(Connection).order_by(Connection.id)).all()
    states = [(row, connections.standing(row, db.now())) for row in rows]
    broken = [
        f"{row.label} ({row.plugin}, {state}): {row.reason or 'it has expired'}"
        for row, state in states
        if state in {"reconnect", "failing"}
    ]
    if broken:
        raise ConfigError(
            f"{'; '.join(broken[:5])} ({len(broken)} in all): their owners have to give the "
            "secret again, or correct the server, and test them."
        )
    return f"{len(rows)} kept, none is known to fail"


def _budgets(_config: Config) -> str:
    waiting = _count("SELECT count(*) FROM execution WHERE status = 'budget_paused'")
    if waiting:
        raise ConfigError(
            f"Executions that wait for more budget: {waiting}. pilot execution list --status "
            "budget_paused names them; pilot execution budget ID --usd AMOUNT raises one."
        )
    return "no execution waits for more"


def _count(statement: str) -> int:
    with db.reading(None, sees_all=True) as session:
        return int(session.execute(text(statement)).scalar_one())
