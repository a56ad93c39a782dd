"""Agents as text that another installation reads: one YAML document, without ids and secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import db, older
from pilot.audit import Actor
from pilot.engine import idempotency
from pilot.engine.agents import agent_details, agents
from pilot.engine.agents.agents import NewAgent
from pilot.engine.language import yaml_text
from pilot.engine.language.pointers import pointer
from pilot.errors import BadJsonError, ConflictError, InvalidError, Issue
from pilot.models.agent import Agent, WorkflowVersion
from pilot.redaction import without_secrets

MAX_BYTES = 5 * 1024 * 1024
MAX_TAGS = 20
ZIP = b"PK"


class Portable(BaseModel):
    """An agent as it is written; the order of the fields is that of the text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pilot: Literal[1]
    kind: Literal["agent"]
    name: str = Field(min_length=1, max_length=120)
    goal: str = Field("", max_length=8_000)
    description: str = Field("", max_length=8_000)
    prompt: str = Field("", max_length=20_000)
    tags: list[str] = Field(default_factory=list, max_length=MAX_TAGS)
    document: dict[str, Any] | list[Any] | None = None  # a list: an older builder's


@dataclass(frozen=True)
class Import:
    """What an import does, or would do: the agent that there is (None: a new one), the changes."""

    name: str
    agent_id: UUID | None
    changes: Sequence[str]  # lines of a unified diff
    conversion: Sequence[str] = ()  # what is read otherwise than an older builder wrote it


def text(agent: Agent, version: WorkflowVersion | None) -> str:
    """Return an agent and its newest workflow as YAML: equal content, equal bytes."""
    found = Portable(
        pilot=1,
        kind="agent",
        name=agent.name,
        goal=agent.goal,
        description=agent.description,
        prompt=agent.prompt,
        tags=list(agent.tags),
        document=None if version is None else version.document,
    )
    return yaml_text.dumps(without_secrets(found.model_dump()))


def read(source: bytes) -> Portable:
    """Return what a text says.

    Raises:
        InvalidError: it is too large, no YAML, or not of an agent; each fault is named.
    """
    if source.startswith(ZIP):
        raise _invalid("", "This is an archive: give the YAML text of one agent.")
    if len(source) > MAX_BYTES:
        raise _invalid("", "The text is larger than 5 MB.")
    try:
        value = yaml_text.loads(source.decode(), max_bytes=MAX_BYTES)
        return Portable.model_validate(value)
    except UnicodeDecodeError:
        raise _invalid("", "The text is not UTF-8.") from None
    except BadJsonError as error:
        raise _invalid("", f"This cannot be read: {error.message}") from None
    except ValidationError as error:
        raise InvalidError([_fault(one) for one in error.errors(include_url=False)[:20]]) from None


def preview(source: bytes, *, user_id: UUID) -> Import:
    """Return what an import would do; nothing is stored.

    Raises:
        InvalidError: the text is not right, or its workflow has errors.
        ConflictError: several agents have its name.
    """
    wanted = read(source)
    agents.checked(wanted.document)
    with db.reading(user_id) as session:
        present = _present(session, wanted.name, user_id)
        before = "" if present is None else text(present, agents.newest(session, present))
    made = older.convert(wanted.document) if older.is_older(wanted.document) else None
    then = {"document": made.document} if made is not None else {}
    after = yaml_text.dumps(wanted.model_dump() | then)
    lines = unified_diff(before.splitlines(), after.splitlines(), "now", "then", lineterm="")
    notes = made.notes if made is not None else ()
    return Import(wanted.name, None if present is None else present.id, list(lines), notes)


def bring_in(
    source: bytes, *, new_version: bool, by: Actor, user_id: UUID, key: str | None = None
) -> UUID:
    """Make an agent of a text, switched off; or, with `new_version`, change the one of that name.

    Nothing is started. The same key and text within 24 h bring it in once.

    Raises:
        InvalidError: the text is not right, its workflow has errors, or the key is of another body.
        ConflictError: there is an agent of that name.
    """
    wanted = read(source)
    agents.checked(wanted.document)
    body = {"agent": wanted.model_dump(), "new_version": new_version}
    with db.transaction("agent.import", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "agent.import", body)
        if kept is not None:
            return UUID(kept["agent_id"])
        present = _present(session, wanted.name, user_id)
        if present is None:
            made = _make(session, wanted, by, user_id)
        elif new_version:
            made = _change(session, present.id, wanted, by)
        else:
            told = f"There is an agent {wanted.name}: import it as a new version, or rename it."
            raise ConflictError(told, {"agent": str(present.id)})
        idempotency.keep_answer(session, user_id, key, {"agent_id": str(made)})
    return made


def _make(session: Session, wanted: Portable, by: Actor, user_id: UUID) -> UUID:
    new = NewAgent(
        wanted.name,
        goal=wanted.goal,
        prompt=wanted.prompt,
        description=wanted.description,
        origin="imported",
    )
    saved = agents.insert(session, new, wanted.document, owner_id=user_id, by=by)
    agent = agents.load(session, saved.agent_id)
    agent.tags = list(wanted.tags)
    agent.active = False
    return saved.agent_id


def _change(session: Session, agent_id: UUID, wanted: Portable, by: Actor) -> UUID:
    agent = agents.load(session, agent_id, lock=True)
    base = agent.version_number
    agents.next_version(session, agent, wanted.document, reason="Imported", base=base, by=by)
    details = agent_details.Details(wanted.name, wanted.goal, wanted.prompt, tuple(wanted.tags))
    agent_details.store(session, agent, details, by)
    return agent_id


def _present(session: Session, name: str, user_id: UUID) -> Agent | None:
    mine = Agent.owner_id == user_id, Agent.deleted_at.is_(None), Agent.name == name
    found = session.scalars(select(Agent).where(*mine).limit(2)).all()
    if len(found) > 1:
        raise ConflictError(f"Several agents are called {name}: rename one.")
    return found[0] if found else None


def _fault(found: ErrorDetails) -> Issue:
    name = ".".join(str(part) for part in found["loc"]) or "The text"
    told = {
        "missing": f"{name} is missing: an exported agent has it.",
        "extra_forbidden": f"{name} is no part of an exported agent: remove it.",
    }
    return Issue(
        "import_field", pointer(*found["loc"]), told.get(found["type"], f"{name}: {found['msg']}.")
    )


def _invalid(path: str, message: str) -> InvalidError:
    return InvalidError([Issue("import_text", path, message)])
