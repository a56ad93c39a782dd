"""Keeps what this process hides in step with the installation: its sealed secrets, `redact_pii`."""

import threading

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from pilot import db, redaction, settings, vault
from pilot.config import Config
from pilot.errors import ConfigError, PilotError

log = structlog.get_logger()

EVERY_S = 5.0
SEALED = text("SELECT * FROM known_secrets()")


class _Process:
    opened: frozenset[str] = frozenset()  # sealed texts that were looked into


def begin(config: Config) -> None:
    """Hide the secrets of the config and, once the database answers, those that it holds."""
    given = {
        "secret_key": config.secret_keys,
        "metrics_token": (config.metrics_token,),
        "password": (config.admin_password,),
    }
    for name, values in given.items():
        for value in filter(None, values):
            redaction.learn(value, name)
    try:
        refresh()
    except (SQLAlchemyError, PilotError) as error:  # not set up yet, or away
        log.warning("secrets_not_read", error=type(error).__name__)


def keep_up(config: Config) -> None:
    """Begin, and look again every few seconds in a thread of its own, as long as this process."""
    begin(config)
    threading.Thread(target=_look_again, args=(config,), name="secrets", daemon=True).start()


def refresh() -> None:
    """Learn the secrets that were stored meanwhile; take over the setting `redact_pii`.

    Secrets that are gone stay hidden while this process runs: they may still open something.
    """
    with db.reading(None) as session:
        redaction.hide_personal_data(settings.value(session, "redact_pii"))
        rows = session.execute(SEALED).all()
    for row in rows:
        if row.sealed in _Process.opened:
            continue
        try:
            vault.open_sealed(
                row.sealed, vault.Place(row.place, row.row_id, row.version, row.owner_id)
            )
        except ConfigError:
            log.warning("secret_not_opened", place=row.place, row=row.row_id)
    _Process.opened = frozenset(row.sealed for row in rows)


def _look_again(config: Config) -> None:
    while not threading.Event().wait(EVERY_S):
        begin(config)
