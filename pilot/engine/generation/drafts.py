"""From a goal to a saved agent: draft, questions, edited text, fixes; nothing typed is lost."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import db, settings
from pilot.audit import Actor, Event
from pilot.engine import idempotency, trail, validation
from pilot.engine.agents import agents
from pilot.engine.generation import stages
from pilot.engine.generation.surroundings import known_actions
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.workflow import document
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.generation import Generation

MAX_STORED_CHARACTERS = 100_000  # of a goal; the planner reads fewer and says so
PERSON = "edited"


def begin(goal: str, *, data: Path, by: Actor, user_id: UUID, key: str | None = None) -> UUID:
    """Keep a goal, draft its workflow and return the generation's id.

    The same key and goal within 24 h return the same generation. `data` is the data folder, whose
    tables of the user are sampled.

    Raises:
        InvalidError: the goal is empty or longer than can be kept.
    """
    text = _goal(goal)
    with db.transaction("generation.begin", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "generation.begin", {"goal": text})
        if kept is not None:
            return UUID(kept["generation_id"])
        row = _new_row(text, user_id)
        session.add(row)
        session.flush()
        stages.record(session, row, Event.AGENT_GENERATION_STARTED, by, {"characters": len(text)})
        idempotency.keep_answer(session, user_id, key, {"generation_id": str(row.id)})
    _draft(row.id, data=data, by=by, user_id=user_id)
    return row.id


def restate(generation_id: UUID, goal: str, *, data: Path, by: Actor, user_id: UUID) -> None:
    """Put other words for a goal and draft again; answers to the old words do not count.

    Raises:
        NotFoundError: no such generation.
        ConflictError: its agent was saved.
        InvalidError: the goal is empty or too long.
    """
    text = _goal(goal)
    with db.transaction("generation.restate", user_id) as session:
        row = _open(session, generation_id)
        row.goal, row.goal_hash, row.answers = text, _hash(text), {}
    _draft(generation_id, data=data, by=by, user_id=user_id)


def answer(
    generation_id: UUID,
    answers: Mapping[str, Any],
    *,
    data: Path,
    by: Actor,
    user_id: UUID,
    key: str | None = None,
) -> None:
    """Answer questions by their ids and draft again; empty answers stay open.

    The same key and answers within 24 h draft once.

    Raises:
        NotFoundError: no such generation.
        ConflictError: its agent was saved.
        InvalidError: the key was used with other answers.
    """
    given = {name: value for name, value in answers.items() if value not in ("", [], None)}
    body = {"generation": str(generation_id), "answers": dict(answers)}
    with db.transaction("generation.answer", user_id) as session:
        if idempotency.open_request(session, user_id, key, "generation.answer", body) is not None:
            return
        row = _open(session, generation_id)
        row.answers = {**row.answers, **given}
        idempotency.keep_answer(session, user_id, key, {"done": True})
    _draft(generation_id, data=data, by=by, user_id=user_id)


def edit(generation_id: UUID, text: str, *, data: Path, user_id: UUID) -> list[Issue]:
    """Keep a person's text of the draft, right or wrong, and return its issues.

    Raises:
        NotFoundError: no such generation.
        ConflictError: its agent was saved.
        InvalidError: the text is larger than a document may be.
    """
    if len(text.encode(errors="replace")) > document.MAX_BYTES:
        limit = document.MAX_BYTES // 1024
        raise InvalidError([Issue("E_LIMIT", "/text", f"The text is larger than {limit} KiB.")])
    clean = text.replace("\r\n", "\n").replace("\0", "\ufffd").encode(errors="replace").decode()
    known = known_actions(data, user_id)
    with db.transaction("generation.edit", user_id) as session:
        row = _open(session, generation_id)
        issues = validation.validate(clean, known, max_steps=_max_steps(session))
        _keep_edited(row, clean, issues)
    return issues


def fix(generation_id: UUID, code: str, path: str, *, data: Path, user_id: UUID) -> None:
    """Apply the fix of one issue of the draft.

    Raises:
        NotFoundError: no such generation.
        ConflictError: its agent was saved.
        InvalidError: the draft has no such issue with a fix.
    """
    known = known_actions(data, user_id)
    with db.transaction("generation.fix", user_id) as session:
        row = _open(session, generation_id)
        steps = _max_steps(session)
        found = validation.validate(row.text, known, max_steps=steps)
        wanted = [one for one in found if (one.code, one.path) == (code, path) and one.fix]
        if row.document is None or not wanted:
            message = "This issue is gone, or has no fix: read the present ones."
            raise InvalidError([Issue(code, path, message)], message)
        patched = validation.apply_fix(row.document, wanted[0])
        row.repairs += 1
        text = document.text(patched)
        _keep_edited(row, text, validation.validate(patched, known, max_steps=steps))


def accept(
    generation_id: UUID,
    name: str,
    *,
    data: Path,
    by: Actor,
    user_id: UUID,
    key: str | None = None,
) -> agents.Saved:
    """Save the draft as an agent with version 1; accepted again it is the same agent.

    Raises:
        NotFoundError: no such generation.
        InvalidError: no name, or the draft has errors; they are all listed. Or the key was used
            with another name.
    """
    known = known_actions(data, user_id)
    body = {"generation": str(generation_id), "name": name}
    with db.transaction("generation.accept", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "generation.accept", body)
        if kept is not None:
            return agents.Saved.of(kept)
        row = load(session, generation_id, lock=True)
        if row.agent_id is not None:
            saved = _saved_before(session, row.agent_id)
        else:
            workflow = _acceptable(row, name, known, _max_steps(session))
            saved = _save(session, row, name, workflow, by)
        idempotency.keep_answer(session, user_id, key, asdict(saved))
    return saved


def _saved_before(session: Session, agent_id: UUID) -> agents.Saved:
    agent = agents.load(session, agent_id)
    version = agents.newest(session, agent)
    if version is None:
        raise NotFoundError("The agent of this draft has no version.")
    return agents.Saved(agent.id, version.id, version.number)


def _save(
    session: Session, row: Generation, name: str, workflow: dict[str, Any], by: Actor
) -> agents.Saved:
    origin = "edited" if row.generator == PERSON else "generated"
    new = agents.NewAgent(name, goal=row.goal, origin=origin, generation_id=row.id)
    saved = agents.insert(session, new, workflow, owner_id=row.owner_id, by=by)
    row.outcome, row.agent_id, row.updated_at = "accepted", saved.agent_id, trail.now(session)
    return saved


def load(session: Session, generation_id: UUID, *, lock: bool = False) -> Generation:
    """Return a generation that the session's user may see.

    Raises:
        NotFoundError: absent, or somebody else's.
    """
    query = select(Generation).where(Generation.id == generation_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFoundError("There is no such draft, or it is not yours.")
    return row


def _goal(text: str) -> str:
    clean = text.replace("\r\n", "\n").replace("\0", "\ufffd").encode(errors="replace").decode()
    if not clean.strip():
        raise InvalidError([Issue("E_INPUT_MISSING", "/goal", "Say what the agent shall do.")])
    if len(clean) > MAX_STORED_CHARACTERS:
        message = f"The goal has more than {MAX_STORED_CHARACTERS:,} characters: shorten it."
        raise InvalidError([Issue("E_LIMIT", "/goal", message)])
    return clean.strip()


def _hash(goal: str) -> str:
    return hashlib.sha256(goal.encode()).hexdigest()


def _new_row(goal: str, owner_id: UUID) -> Generation:
    return Generation(
        owner_id=owner_id,
        goal=goal,
        goal_hash=_hash(goal),
        answers={},
        text="",
        issues=[],
        questions=[],
        clauses=[],
        generator=stages.PLANNER,
        confidence=0,
        duration_ms=0,
        outcome="offered",
    )


def _open(session: Session, generation_id: UUID) -> Generation:
    row = load(session, generation_id, lock=True)
    if row.agent_id is not None:
        raise ConflictError("This draft was saved as an agent: change its workflow there.")
    if row.stage != "done":
        raise ConflictError("Models are still being asked for this goal: wait for their answer.")
    row.updated_at = trail.now(session)
    return row


def _max_steps(session: Session) -> int:
    return int(settings.value(session, "pilot_max_steps"))


def _draft(generation_id: UUID, *, data: Path, by: Actor, user_id: UUID) -> None:
    """Draft the goal as it stands, with what is loaded for it: many a process never has to."""
    from pilot.engine.generation import drafting  # noqa: PLC0415

    known = known_actions(data, user_id)
    with db.reading(user_id) as session:
        asked = drafting.asked(session, load(session, generation_id), known)
    offer = drafting.offer(asked)
    with db.transaction("generation.draft", user_id) as session:
        drafting.keep(session, _open(session, generation_id), asked, offer, by=by)


def _keep_edited(row: Generation, text: str, issues: list[Issue]) -> None:
    try:
        found = document.decode(text)
    except InvalidError:
        found = None
    row.document = found if isinstance(found, dict) else None
    row.text, row.generator, row.outcome = text, PERSON, "offered"
    row.issues = [asdict(issue) for issue in issues]


def _acceptable(row: Generation, name: str, known: Catalogue, max_steps: int) -> dict[str, Any]:
    if not name.strip():
        raise InvalidError([Issue("E_INPUT_MISSING", "/name", "Give the agent a name.")])
    if row.document is None:
        message = "There is no workflow yet: answer the questions, or write it by hand."
        raise InvalidError([Issue("E_JSON", "", message)], message)
    issues = validation.validate(row.document, known, max_steps=max_steps)
    if any(one.severity == "error" for one in issues):
        raise InvalidError(issues)
    workflow: dict[str, Any] = row.document
    return workflow
