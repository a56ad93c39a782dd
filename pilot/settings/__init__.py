"""What an administrator changes: definitions, typed values, history; one line per setting."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.columns import NOW
from pilot.models.model import Model
from pilot.models.setting import Setting, SettingChange
from pilot.models.user import User
from pilot.settings import engine, models
from pilot.settings.definitions import Definition, Value

__all__ = ["GROUPS", "SETTINGS", "SNAPSHOT", "Definition", "Value", "Values"]

Values = dict[str, Value]

SETTINGS: Mapping[str, Definition] = {
    one.key: one for one in (*engine.DEFINITIONS, *models.DEFINITIONS)
}
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(one.group for one in SETTINGS.values()))

# For the worker, which reads with psycopg: one row (stored values, version); see `with_defaults`.
SNAPSHOT = """
SELECT coalesce((SELECT json_object_agg(key, value) FROM setting), '{}') AS stored,
       coalesce((SELECT max(version) FROM setting_change), 0) AS version
"""


def with_defaults(stored: Mapping[str, Value]) -> Values:
    """Return the value of every setting: the stored one, else its default."""
    return {key: stored.get(key, one.default) for key, one in SETTINGS.items()}


def snapshot(session: Session) -> tuple[Values, int]:
    """Return all values and the version that names them, as of one moment."""
    row = session.execute(text(SNAPSHOT)).one()
    return with_defaults(row.stored), row.version


def value(session: Session, key: str) -> Value:
    """Return the present value of one setting.

    Raises:
        InvalidError: there is no such setting.
    """
    definition = _definition(key)
    stored: Value | None = session.scalar(select(Setting.value).where(Setting.key == key))
    return definition.default if stored is None else stored


@dataclass(frozen=True)
class Saved:
    """The version in force after a save, and the settings that it really changed."""

    version: int
    changed: tuple[str, ...]


def change(
    key: str,
    new: Value,
    *,
    by: Actor,
    expected_version: int | None = None,
    reason: str | None = None,
) -> Saved:
    """Change one setting; see `change_all`."""
    return change_all({key: new}, by=by, expected_version=expected_version, reason=reason)


def change_all(
    values: Mapping[str, Any],
    *,
    by: Actor,
    expected_version: int | None = None,
    reason: str | None = None,
) -> Saved:
    """Change several settings at once, as one version, with history and audit.

    `expected_version` is the version of the snapshot that the form was made from; values equal to
    the stored ones change nothing.

    Raises:
        InvalidError: an unknown key, a wrong type or a value outside its bounds; nothing is stored.
        ConflictError: one of these settings was changed since `expected_version`; `present` holds
            `version` and, per key, `yours`, `theirs` and `before`.
    """
    issues = [issue for key, new in values.items() for issue in _issues(key, new)]
    if issues:
        raise InvalidError(issues)
    stored = {key: SETTINGS[key].stored(new) for key, new in values.items()}
    with transaction("settings.change", by.user_id) as session:
        _refuse_unknown_models(session, stored)
        return _store(session, stored, by=by, expected=expected_version, reason=reason)


def initialise(*, by: Actor) -> list[str]:
    """Store the default of every setting that has no value yet; returns their keys.

    No value in force changes, so there is nothing to undo and no new version.
    """
    rows = [
        {"key": key, "value": one.default, "updated_by": by.user_id}
        for key, one in SETTINGS.items()
    ]
    with transaction("settings.initialise", by.user_id) as session:
        statement = insert(Setting).values(rows).on_conflict_do_nothing()
        written = sorted(session.scalars(statement.returning(Setting.key)))
        if written:
            details = {"keys": written}
            event, about = Event.SYSTEM_CONFIG_CHANGED, ("setting", "defaults")
            audit.record(session, event, actor=by, about=about, details=details)
    return written


def undo(version: int, *, by: Actor) -> Saved:
    """Set back what the change `version` set, as a new change.

    Raises:
        NotFoundError: no such change.
        ConflictError: one of its settings was changed again since.
    """
    with transaction("settings.undo", by.user_id) as session:
        done = session.scalars(select(SettingChange).where(SettingChange.version == version)).all()
        before = {change.key: change.before for change in done if change.key in SETTINGS}
        if not before:
            raise NotFoundError("There is no such change of a setting.")
        return _store(session, before, by=by, expected=version, reason=f"undo of change {version}")


def _definition(key: str) -> Definition:
    if key not in SETTINGS:
        raise InvalidError(_issues(key, None))
    return SETTINGS[key]


def _issues(key: str, new: Any) -> list[Issue]:
    definition = SETTINGS.get(key)
    path = f"/{key.replace('~', '~0').replace('/', '~1')}"
    if definition is None:
        known = ", ".join(SETTINGS)
        return [Issue("setting_unknown", path, f"There is no setting {key!r}.", expected=known)]
    return definition.issues(new)


def _refuse_unknown_models(session: Session, values: Mapping[str, Any]) -> None:
    """Refuse ids that are not in the catalogue of models."""
    asked = {
        key: values[key] if SETTINGS[key].type is list else [values[key]]
        for key in values
        if SETTINGS[key].of_models and values[key] is not None
    }
    if not asked:
        return
    known = set(session.scalars(select(Model.id)))
    issues = [
        Issue(
            "setting_model",
            f"/{key}",
            f"{SETTINGS[key].label}: there is no model {one!r} in the catalogue.",
            "a known model",
            one[:80],
        )
        for key, ids in asked.items()
        for one in ids
        if one not in known
    ]
    if issues:
        raise InvalidError(issues)


def _store(
    session: Session,
    values: dict[str, Any],
    *,
    by: Actor,
    expected: int | None,
    reason: str | None,
) -> Saved:
    """Write what differs; None means back to the default."""
    # One writer at a time: versions commit in order, so a version names exactly one snapshot.
    session.execute(text("LOCK TABLE setting IN SHARE ROW EXCLUSIVE MODE"))
    present, version = snapshot(session)
    if expected is not None:
        _refuse_stale(session, values, expected, present, version)
    stored: Values = {
        row.key: row.value for row in session.execute(select(Setting.key, Setting.value))
    }
    changed = {
        key: new
        for key, new in values.items()
        if (SETTINGS[key].default if new is None else new) != present[key]
    }
    if not changed:
        return Saved(version, ())
    version = session.scalar(text("SELECT nextval('setting_version')::int")) or 0
    for key, new in changed.items():
        _write(session, key, new, by)
        session.add(
            SettingChange(
                version=version,
                key=key,
                before=stored.get(key),
                after=new,
                changed_by=by.user_id,
            )
        )
        details = {"key": key, "before": present[key], "after": new, "version": version}
        if new is None:
            details["after"] = SETTINGS[key].default
        if reason:
            details["reason"] = reason
        audit.record(session, event(key), actor=by, about=("setting", key), details=details)
    return Saved(version, tuple(changed))


def _write(session: Session, key: str, new: Value | None, by: Actor) -> None:
    if new is None:
        session.execute(delete(Setting).where(Setting.key == key))
        return
    statement = insert(Setting).values(key=key, value=new, updated_by=by.user_id)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Setting.key],
            set_={"value": statement.excluded.value, "updated_by": by.user_id, "updated_at": NOW},
        )
    )


def event(key: str) -> Event:
    """Return what a change of a setting is called in the audit trail."""
    return Event.PILOT_CONFIG_UPDATED if key.startswith("pilot_") else Event.SYSTEM_CONFIG_CHANGED


def _refuse_stale(
    session: Session, values: Mapping[str, Any], expected: int, present: Values, version: int
) -> None:
    newer = session.scalars(
        select(SettingChange)
        .where(SettingChange.version > expected, SettingChange.key.in_(values))
        .order_by(SettingChange.version)
    ).all()
    if not newer:
        return
    before: dict[str, Any] = {}
    for change in newer:  # the oldest of them knows what the form was made from
        before.setdefault(change.key, change.before)
    fields = {
        key: {
            "yours": values[key],
            "theirs": present[key],
            "before": SETTINGS[key].default if old is None else old,
        }
        for key, old in before.items()
    }
    labels = ", ".join(SETTINGS[key].label for key in fields)
    raise ConflictError(
        f"Somebody else has changed this meanwhile: {labels}. Compare and save again.",
        {"version": version, "fields": fields},
    )


@dataclass(frozen=True)
class Change:
    """One line of the history, with effective values."""

    version: int
    definition: Definition
    before: Value
    after: Value
    by: str
    at: datetime
    can_undo: bool


def history(session: Session, *, limit: int = 100) -> list[Change]:
    """Return the newest changes, newest first; the newest of each setting can be undone."""
    latest = func.max(SettingChange.version).label("latest")
    per_key = select(SettingChange.key, latest).group_by(SettingChange.key)
    newest = {row.key: row.latest for row in session.execute(per_key)}
    rows = session.execute(
        select(SettingChange, User.name)
        .outerjoin(User, User.id == SettingChange.changed_by)
        .where(SettingChange.key.in_(SETTINGS))
        .order_by(SettingChange.version.desc(), SettingChange.key)
        .limit(limit)
    )
    return [_line(change, name, newest) for change, name in rows]


def _line(change: SettingChange, name: str | None, newest: Mapping[str, int]) -> Change:
    definition = SETTINGS[change.key]
    return Change(
        version=change.version,
        definition=definition,
        before=definition.default if change.before is None else change.before,
        after=definition.default if change.after is None else change.after,
        by=name or "command line",
        at=change.at,
        can_undo=newest[change.key] == change.version,
    )


def changed_by(session: Session) -> dict[str, tuple[str, datetime]]:
    """Return who set each stored value, and when."""
    rows = session.execute(
        select(Setting.key, User.name, Setting.updated_at).outerjoin(
            User, User.id == Setting.updated_by
        )
    )
    return {row.key: (row.name or "command line", row.updated_at) for row in rows}
