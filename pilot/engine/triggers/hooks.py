"""Webhooks that start an agent from outside: made, rotated, switched, deleted; what comes in."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text
from sqlalchemy.orm import Session, undefer

from pilot import audit, db, strictjson, vault
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine import idempotency
from pilot.engine.agents import agents
from pilot.engine.life import preflight, starts
from pilot.engine.secrets import signatures
from pilot.engine.triggers import senders
from pilot.engine.triggers.senders import Message
from pilot.engine.workflow import payloads
from pilot.errors import (
    BadJsonError,
    ConflictError,
    InvalidError,
    Issue,
    NotFoundError,
    PilotError,
    StaleError,
)
from pilot.models.hook import Hook, HookDelivery

MAX_BYTES = 1024 * 1024
MAX_ID_CHARACTERS = 100
MOST_PER_AGENT = 20
ROTATION = text("SELECT pilot_now() + interval '24 hours'")
FIND = text("SELECT id, owner_id FROM find_hook(:token)")
KNOWN = text("""
SELECT sealed, CASE WHEN before_until > pilot_now() THEN before_sealed END AS before_sealed,
       agent_id, version, bearer, match, inputs, pilot_now() AS now FROM hook WHERE id = :id
""")


@dataclass(frozen=True)
class Made:
    """A webhook whose secret is told, this once; None: it was told to an equal request before."""

    id: UUID
    token: str
    secret: str | None


@dataclass(frozen=True)
class Shape:
    """What a webhook takes: how senders prove who they are, and what it makes of the payload."""

    bearer: bool = False  # the secret itself comes along; else a signature made with it
    match: str | None = None  # a condition over `payload`; else it starts nothing
    inputs: dict[str, Any] | None = None  # templates over `payload`; None: all of it


def create(
    agent_id: UUID,
    shape: Shape | None = None,
    *,
    key: str | None = None,
    by: Actor,
    user_id: UUID,
) -> Made:
    """Give an agent one more address that starts it; the same key makes it once.

    Raises:
        NotFoundError: there is no such agent, or it is not theirs.
        ConflictError: it has 20 already.
        InvalidError: the condition or the inputs are not right, each named.
    """
    shape = shape or Shape()
    issues = [*payloads.check(shape.match, shape.inputs)]
    if issues:
        raise InvalidError(issues)
    secret = signatures.new_secret()
    body = {"agent": str(agent_id), **asdict(shape)}
    with transaction("hooks.create", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "hook.create", body)
        if kept is not None:
            return Made(UUID(kept["hook_id"]), kept["token"], None)
        agent = agents.load(session, agent_id)
        if len(listed(session, agent_id)) >= MOST_PER_AGENT:
            raise ConflictError(f"An agent has at most {MOST_PER_AGENT} webhooks: delete one.")
        row = Hook(
            id=session.scalars(text("SELECT uuidv7()")).one(),
            owner_id=agent.owner_id,
            agent_id=agent.id,
            token=secrets.token_urlsafe(32),
            version=1,
            **asdict(shape),
        )
        row.sealed = vault.seal(secret, _place(row.id, row.owner_id, row.version))
        session.add(row)
        _record(session, row, by, "made")
        idempotency.keep_answer(session, user_id, key, _keep(row))
    return Made(row.id, row.token, secret)


def _keep(row: Hook) -> dict[str, Any]:
    return {"hook_id": str(row.id), "token": row.token}


def rotate(
    agent_id: UUID, hook_id: UUID, *, key: str | None = None, by: Actor, user_id: UUID
) -> Made:
    """Give a webhook a new secret; the one before holds for 24 hours more, or until the next.

    At most two hold at once. The same key makes one once.

    Raises:
        NotFoundError: there is none, or it is not theirs.
    """
    secret = signatures.new_secret()
    body = {"agent": str(agent_id), "hook": str(hook_id)}
    with transaction("hooks.rotate", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "hook.rotate", body)
        if kept is not None:
            return Made(UUID(kept["hook_id"]), kept["token"], None)
        row = _locked(session, agent_id, hook_id)
        row.version += 1
        row.before_sealed, row.before_until = row.sealed, session.scalars(ROTATION).one()
        row.sealed = vault.seal(secret, _place(row.id, row.owner_id, row.version))
        _record(session, row, by, "rotated")
        idempotency.keep_answer(session, user_id, key, _keep(row))
    return Made(row.id, row.token, secret)


def set_active(
    agent_id: UUID,
    hook_id: UUID,
    active: bool,  # noqa: FBT001
    *,
    seen: str | None = None,
    by: Actor,
    user_id: UUID,
) -> None:
    """Switch a webhook on or off; switched off it answers as if it did not exist.

    Raises:
        NotFoundError: there is none, or it is not theirs.
        StaleError: it is not in the state `seen` any more.
    """
    with transaction("hooks.set_active", user_id) as session:
        row = _locked(session, agent_id, hook_id, seen)
        if row.active != active:
            row.active = active
            _record(session, row, by, "switched on" if active else "switched off")


def delete(
    agent_id: UUID, hook_id: UUID, *, seen: str | None = None, by: Actor, user_id: UUID
) -> None:
    """Forget a webhook and its secret; its deliveries stay.

    Raises:
        NotFoundError: there is none, or it is not theirs.
        StaleError: it is not in the state `seen` any more.
    """
    with transaction("hooks.delete", user_id) as session:
        row = _locked(session, agent_id, hook_id, seen)
        row.sealed = row.before_sealed = row.before_until = None
        row.active = False
        _record(session, row, by, "deleted")


def listed(session: Session, agent_id: UUID) -> list[Hook]:
    """Return the webhooks of an agent, the newest first."""
    query = select(Hook).where(Hook.agent_id == agent_id, Hook.sealed.is_not(None))
    return list(session.scalars(query.order_by(Hook.id.desc())))


def find(session: Session, agent_id: UUID, hook_id: UUID) -> Hook:
    """Return a webhook of an agent.

    Raises:
        NotFoundError: there is none, or it is not theirs.
    """
    row = session.get(Hook, hook_id)
    if row is None or row.agent_id != agent_id or row.sealed is None:
        raise NotFoundError("There is no such webhook, or it is not yours.")
    return row


def state(row: Hook) -> str:
    """Name the state of a webhook: the version of its secret, and whether it is on."""
    return f"{row.version}-{'on' if row.active else 'off'}"


def told(row: Hook, url: str) -> dict[str, Any]:
    """Return a webhook as the API and the command line tell it; `url` is where Pilot is."""
    names = ("id", "match", "inputs", "active", "version", "created_at")
    return {name: getattr(row, name) for name in names} | {
        "url": f"{url}/hooks/{row.token}",
        "proof": "bearer" if row.bearer else "signature",
    }


def came(row: HookDelivery) -> dict[str, Any]:
    """Return a delivery as the API, the command line and the page's twin tell it."""
    names = ("hook_id", "at", "message_id", "status", "reason", "address", "execution_id")
    return {name: getattr(row, name) for name in names}


def deliveries(session: Session, agent_id: UUID, limit: int = 50) -> Sequence[HookDelivery]:
    """Return the newest deliveries to the webhooks of an agent, deleted ones too."""
    of_agent = select(Hook.id).where(Hook.agent_id == agent_id)
    query = select(HookDelivery).where(HookDelivery.hook_id.in_(of_agent))
    return session.scalars(query.order_by(HookDelivery.id.desc()).limit(limit)).all()


def receive(token: str, message: Message, setup: preflight.Setup = preflight.UNTOLD) -> UUID | None:
    """Start the agent of a webhook with inputs of the body; returns the execution.

    None: the webhook's condition does not hold for it. A message starts once: its id is remembered
    with the start, for 24 hours; one with a bearer secret and no id is always new.

    Raises:
        NotFoundError: nothing answers at this address.
        UnsignedError: a header is missing, its time is not now, or no signature is right.
        ConflictError: the id came before (`present` names the execution), or the agent is off.
        InvalidError: the body is no JSON, or no object where it is the inputs, does not fit them,
            or the preflight found what stands in the way; each is named.
    """
    if not token.isascii():
        raise NotFoundError("Nothing answers here.")
    with db.reading(None) as session:
        found = session.execute(FIND, {"token": token[:100]}).one_or_none()
    if found is None:
        raise NotFoundError("Nothing answers here.")
    try:
        return _start(found.id, found.owner_id, message, setup)
    except PilotError as error:
        if error.status < 500:
            _refuse(found.id, found.owner_id, message, error)
        raise


def _start(hook_id: UUID, owner_id: UUID, message: Message, setup: preflight.Setup) -> UUID | None:
    with db.reading(owner_id) as session:
        known = session.execute(KNOWN, {"id": hook_id}).one()
    if known.bearer and not message.id:
        message = replace(message, id=str(uuid4()))
    _check(known, hook_id, owner_id, message)
    values = {"payload": _payload(message.body)}
    if not payloads.holds(known.match, values, known.now):
        _note(hook_id, owner_id, message, 200, "Its condition does not hold.")
        return None
    inputs = _inputs(known.inputs, values, known.now)
    with transaction("hooks.accept", owner_id) as session:
        return _accept(session, known.agent_id, hook_id, owner_id, message, inputs, setup)


def _accept(  # noqa: PLR0913, PLR0917 -- all that a start by a message depends on
    session: Session,
    agent_id: UUID,
    hook_id: UUID,
    owner_id: UUID,
    message: Message,
    inputs: dict[str, Any],
    setup: preflight.Setup,
) -> UUID:
    """Start an execution, once for each id: not the inputs are compared, which may hold a clock."""
    key, body = f"hook {hook_id} {message.id}", hashlib.sha256(message.body).hexdigest()
    kept = idempotency.open_request(session, owner_id, key, "hook.receive", None)
    if kept is not None:
        told = "This id came before" + (", with another body" if kept["body"] != body else "")
        present = {"execution_id": kept["execution_id"]}
        raise ConflictError(f"{told}: it has started an execution.", present)
    by = _actor(hook_id, message)
    asked = starts.Start(inputs=inputs, trigger="webhook")
    execution_id = starts.begin(session, agent_id, asked, by=by, user_id=owner_id, setup=setup)
    answer = {"execution_id": str(execution_id), "body": body}
    idempotency.keep_answer(session, owner_id, key, answer)
    session.add(
        HookDelivery(
            owner_id=owner_id,
            hook_id=hook_id,
            message_id=message.id,
            status=202,
            address=message.address,
            execution_id=execution_id,
        )
    )
    details = {"hook": str(hook_id), "message": message.id}
    about = ("execution", execution_id)
    audit.record(
        session, Event.TRIGGER_FIRED, actor=by, about=about, details=details, owner_id=owner_id
    )
    return execution_id


def _check(known: Any, hook_id: UUID, owner_id: UUID, message: Message) -> None:
    """Refuse a message whose sender does not prove to know the secret."""
    plain = message.id.isascii() and message.id.isprintable()
    if not plain or len(message.id) > MAX_ID_CHARACTERS:
        senders.unsigned(f"A webhook-id has at most {MAX_ID_CHARACTERS} plain characters.")
    sealed = {known.version: known.sealed, known.version - 1: known.before_sealed}
    secrets_ = [
        vault.open_sealed(one, _place(hook_id, owner_id, version))
        for version, one in sealed.items()
        if one is not None
    ]
    if known.bearer:
        senders.check_bearer(message.authorization, secrets_)
    else:
        senders.check_signature(message, secrets_, known.now.timestamp())


def _payload(body: bytes) -> Any:
    try:
        return strictjson.loads(body, max_bytes=MAX_BYTES)
    except BadJsonError as error:
        raise InvalidError([Issue("hook_json", "", error.message)]) from None


def _inputs(written: Any, values: dict[str, Any], now: datetime) -> dict[str, Any]:
    if written is not None:
        return payloads.mapped(written, values, now)
    value = values["payload"]
    if not isinstance(value, dict):
        told = "The body is a JSON object: the inputs of the agent by name."
        raise InvalidError([Issue("hook_json", "", told, "an object")])
    return value


def _refuse(hook_id: UUID, owner_id: UUID, message: Message, error: PilotError) -> None:
    """Keep what was refused and why, for the agent's owner."""
    issues = error.issues if isinstance(error, InvalidError) else ()
    reason = "; ".join(one.message for one in issues) or error.message
    _note(hook_id, owner_id, message, error.status, reason)


def _note(hook_id: UUID, owner_id: UUID, message: Message, status: int, reason: str) -> None:
    """Keep a delivery that started nothing, and why."""
    plain = "".join(one for one in message.id if one.isprintable())[:MAX_ID_CHARACTERS]
    with transaction("hooks.refuse", owner_id) as session:
        session.add(
            HookDelivery(
                owner_id=owner_id,
                hook_id=hook_id,
                message_id=plain,
                status=status,
                reason=reason[:500],
                address=message.address,
            )
        )
        audit.record(
            session,
            Event.TRIGGER_REJECTED,
            actor=_actor(hook_id, message),
            about=("hook", hook_id),
            details={"message": plain, "status": status, "reason": reason[:500]},
            owner_id=owner_id,
        )


def _actor(hook_id: UUID, message: Message) -> Actor:
    return Actor(f"hook:{hook_id}", message.address, message.request_id)


def _locked(session: Session, agent_id: UUID, hook_id: UUID, seen: str | None = None) -> Hook:
    query = select(Hook).where(Hook.id == hook_id, Hook.agent_id == agent_id)
    row = session.scalar(
        query.options(undefer(Hook.sealed), undefer(Hook.before_sealed)).with_for_update()
    )
    if row is None or row.sealed is None:
        raise NotFoundError("There is no such webhook, or it is not yours.")
    if seen not in {None, state(row)}:
        raise StaleError("It was changed meanwhile: look at it again.", {"version": row.version})
    return row


def _place(hook_id: UUID, owner_id: UUID, version: int) -> vault.Place:
    return vault.Place("hook", str(hook_id), version, str(owner_id))


def _record(session: Session, row: Hook, by: Actor, change: str) -> None:
    details = {"change": change, "agent": str(row.agent_id), "version": row.version}
    about = ("hook", row.id)
    audit.record(
        session, Event.HOOK_CHANGED, actor=by, about=about, details=details, owner_id=row.owner_id
    )
