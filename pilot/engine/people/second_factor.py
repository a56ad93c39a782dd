"""Codes of an app at sign-in (TOTP, RFC 6238), each good once, and ten recovery codes."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from pilot import audit, vault
from pilot.audit import Actor, Event
from pilot.db import changed_rows, reading, transaction
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.models.columns import NOW
from pilot.models.second_factor import RecoveryCode, SecondFactor

STEP_S, DIGITS = 30, 6
SECRET_BYTES = 20
RECOVERY_CODES = 10
WRONG = "This code is wrong, was used already, or is too old."
STEP = text("SELECT cast(floor(extract(epoch FROM pilot_now()) / :s) AS bigint)")


@dataclass(frozen=True)
class SetUp:
    """What a person puts into their app."""

    secret: str  # base 32
    uri: str  # otpauth://


def code_of(secret: str, step: int) -> str:
    """Return the code of a base-32 secret in the step of half a minute with this number."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def begin(user_id: UUID, email: str) -> SetUp:
    """Give a person a secret for their app; it counts once a code of it was confirmed.

    A set-up that was not finished goes on with the secret that it had.

    Raises:
        ConflictError: it is on already.
    """
    with transaction("second_factor.begin", user_id) as session:
        row = session.get(SecondFactor, user_id, with_for_update=True)
        if row is not None and row.confirmed_at is not None:
            raise ConflictError("Codes are asked for already: switch them off first.")
        if row is None:
            secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
            row = SecondFactor(owner_id=user_id, sealed=vault.seal(secret, _place(user_id)))
            session.add(row)
        return _set_up(row, email)


def _set_up(row: SecondFactor, email: str) -> SetUp:
    secret = vault.open_sealed(row.sealed, _place(row.owner_id))
    query = urlencode({"secret": secret, "issuer": "Pilot"})
    return SetUp(secret, f"otpauth://totp/{quote(f'Pilot:{email}')}?{query}")


def _place(user_id: UUID) -> vault.Place:
    return vault.Place("second_factor", str(user_id), 1, str(user_id))


def confirm(user_id: UUID, code: str, *, by: Actor) -> list[str]:
    """Switch codes on with the first one; return the recovery codes, which are never told again.

    Raises:
        InvalidError: the code is wrong.
        ConflictError: nothing was begun, or it is on already.
    """
    with transaction("second_factor.confirm", user_id) as session:
        row = session.get(SecondFactor, user_id, with_for_update=True)
        if row is None or row.confirmed_at is not None:
            raise ConflictError("There is no set-up to confirm: begin it again.")
        if not _is_code(session, row, code):
            raise InvalidError([Issue("second_factor", "/code", WRONG)])
        row.confirmed_at = session.scalars(select(NOW)).one()
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        rows = [RecoveryCode(owner_id=user_id, code_hash=_hash(one)) for one in codes]
        session.add_all(rows)
        audit.record(session, Event.SETTINGS_2FA_ENABLED, actor=by, about=("user", user_id))
    return codes


def _recovery_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def _hash(code: str) -> bytes:
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode(errors="replace")).digest()


def is_on(session: Session, user_id: UUID) -> bool:
    """Say whether a person is asked for codes."""
    row = session.get(SecondFactor, user_id)
    return row is not None and row.confirmed_at is not None


def check(session: Session, user_id: UUID, code: str) -> str | None:
    """Use a code up; return what it was (`app` or `recovery`), or None: it opens nothing."""
    row = session.get(SecondFactor, user_id, with_for_update=True)
    if row is None or row.confirmed_at is None:
        return None
    if _is_code(session, row, code):
        return "app"
    mine = RecoveryCode.owner_id == user_id, RecoveryCode.code_hash == _hash(code)
    used = update(RecoveryCode).where(*mine, RecoveryCode.used_at.is_(None)).values(used_at=NOW)
    return "recovery" if changed_rows(session, used, {}) else None


def _is_code(session: Session, row: SecondFactor, code: str) -> bool:
    """Say whether this is a code of now, or of the step before or after, that was not used yet."""
    plain = code.replace(" ", "")
    secret = vault.open_sealed(row.sealed, _place(row.owner_id))
    now: int = session.scalars(STEP, {"s": STEP_S}).one()
    for step in (now - 1, now, now + 1):
        same = hmac.compare_digest(code_of(secret, step).encode(), plain.encode(errors="replace"))
        if same and step > row.last_step:
            row.last_step = step
            return True
    return False


def left(user_id: UUID) -> int | None:
    """Return how many recovery codes a person has left; None: no codes are asked for."""
    with reading(user_id) as session:
        if not is_on(session, user_id):
            return None
        unused = RecoveryCode.owner_id == user_id, RecoveryCode.used_at.is_(None)
        return session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused))


def switch_off(user_id: UUID, *, by: Actor, code: str | None, sees_all: bool = False) -> None:
    """Ask for no codes any more. Whose it is gives one; an administrator helps without (None).

    Raises:
        InvalidError: the code is wrong.
        ConflictError: it is off already.
    """
    acting = by.user_id if sees_all else user_id
    with transaction("second_factor.switch_off", acting, sees_all=sees_all) as session:
        if not is_on(session, user_id):
            raise ConflictError("No codes are asked for: there is nothing to switch off.")
        if code is not None and check(session, user_id, code) is None:
            raise InvalidError([Issue("second_factor", "/code", WRONG)])
        session.flush()
        session.execute(delete(SecondFactor).where(SecondFactor.owner_id == user_id))
        details = {"by_administrator": code is None}
        event = Event.SETTINGS_2FA_DISABLED
        audit.record(session, event, actor=by, about=("user", user_id), details=details)
