"""Loads the demo for one person: its data, four agents, and the switch that lets them run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import db, settings
from pilot.audit import Actor
from pilot.engine import folders, validation
from pilot.engine.agents import agents
from pilot.engine.demo import make_demo
from pilot.engine.generation import surroundings
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.workflow.document import FORMAT
from pilot.models.agent import Agent
from pilot.models.user import User

# Three workflows are drafted by the planner, over the demo tables, as a typed goal would be.
GOALS = {
    "Urgent tasks": (
        "From the Gantt sheet, mail me the tasks with priority Critical or High that end in the "
        "next three full days, soonest first; say none otherwise. Ask me for approval before "
        "sending."
    ),
    "Leads in stage 4": (
        "Leads in stage 4: mail a table with client, company, email, phone, source, salesperson, "
        "stage and value to ann@example.com and bob@example.com without duplicates. If there are "
        "none, say none found."
    ),
    "Angry customers": (
        "Last 7 days of inbox: mails with complaint, refund, angry or not working: append to tab "
        "UrgentEmails (sender, subject, date, full text, message id), skip ids already there; no "
        "notification."
    ),
}

# One workflow asks a model: of demo agents that is answered by the recorded answers.
SUMMARY = "Mail summary"
GOALS[SUMMARY] = "Sum up the mails of my inbox from the last 7 days and mail me the summary."


@dataclass(frozen=True)
class Loaded:
    """What a load made; of what was there before it makes nothing again."""

    files: list[Path]
    agents: dict[str, UUID]  # name -> id of the ones made now
    switched_on: bool  # whether pilot steps may run since now
    missing: list[str]  # agents whose goal does not fit the owner's own tables of these names


def load(*, data: Path, by: Actor, user_id: UUID) -> Loaded:
    """Make the demo data and agents of a person and switch pilot steps on.

    Args:
        data: the data folder.
        by: an administrator, or the command line.
        user_id: who owns data and agents.
    """
    with db.reading(user_id) as session:
        owner = session.get_one(User, user_id)
    zone = owner.zone or "UTC"
    today = db.now().astimezone(ZoneInfo(zone)).date()
    files = make_demo(folders.private(data, user_id), today, owner.email)
    workflows = _workflows(surroundings.known_actions(data, user_id), zone, owner.email)
    with db.transaction("demo.load", user_id) as session:
        present = _present(session, user_id)
        made = {
            name: agents.insert(
                session,
                agents.NewAgent(name, goal=GOALS[name], origin="demo", demo=True),
                draft,
                owner_id=user_id,
                by=by,
            ).agent_id
            for name, draft in workflows.items()
            if name not in present
        }
    switched = settings.change("pilot_enabled", True, by=by, reason="The demo was loaded")
    missing = sorted(GOALS.keys() - workflows.keys())
    return Loaded(files, made, bool(switched.changed), missing)


def is_loaded(session: Session, user_id: UUID) -> bool:
    """Say whether a person has all demo agents."""
    return set(GOALS) <= _present(session, user_id)


def _present(session: Session, user_id: UUID) -> set[str]:
    query = select(Agent.name).where(
        Agent.owner_id == user_id, Agent.demo, Agent.deleted_at.is_(None)
    )
    return set(session.scalars(query))


def _workflows(known: Catalogue, zone: str, owner_email: str) -> dict[str, Any]:
    """Return the workflow of each goal; the owner's own tables of the same names may spoil some."""
    from pilot.engine import planner  # noqa: PLC0415

    found = {
        name: planner.plan(goal, known, answers={}, zone=zone, owner_email=owner_email).document
        for name, goal in GOALS.items()
        if name != SUMMARY
    }
    found[SUMMARY] = _summary(owner_email)
    return {
        name: validation.with_approvals(draft, known)
        for name, draft in found.items()
        if draft is not None
    }


def _summary(owner_email: str) -> dict[str, Any]:
    search = {"since": "{{ date_add(today(), -7, 'days') }}", "content": "full", "limit": 50}
    text = "{{ steps.summarize.output.text }}\n\nWritten from recorded answers of the demo."
    mail = {"to": [owner_email], "subject": "Mail summary", "text": text}
    return {
        "format": FORMAT,
        "name": SUMMARY,
        "steps": [
            {
                "id": "read",
                "name": "Read the inbox",
                "type": "action",
                "plugin": "mail",
                "action": "search",
                "params": search,
            },
            {
                "id": "summarize",
                "name": "Summarize the mails",
                "type": "ai_processing",
                "prompt": "Summarize these mails in five sentences: what is urgent comes first.",
                "input": "steps.read.output.messages",
                "intent": "summarize",
            },
            {
                "id": "send",
                "name": "Send the summary",
                "type": "action",
                "plugin": "mail",
                "action": "send",
                "params": mail,
                "execute_if": "steps.summarize.output != null",
            },
        ],
    }
