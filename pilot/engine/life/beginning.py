"""What a new execution begins with: read by one statement, and written by one."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, jobs, progress, strictjson
from pilot.audit import Actor, Event
from pilot.models.agent import Agent
from pilot.models.execution import Execution
from pilot.redaction import redact_event
from pilot.settings import Values, flags

FIRST_STATE = text(f"""
{flags.SNAPSHOT}, uuidv7() AS id, uuidv7() AS session_id, pilot_now() AS moment, u.zone,
       c.inputs, c.inputs_schema
  FROM app_user u
  LEFT JOIN LATERAL (SELECT inputs, inputs_schema FROM agent_configuration
                      WHERE agent_id = :agent AND user_id = :user
                      ORDER BY id DESC LIMIT 1) c ON true
 WHERE u.id = :owner""")  # noqa: S608 -- constants
BEGIN = text("SELECT begin_execution(:row, :inputs, :event, :records)")


@dataclass(frozen=True)
class Surroundings:
    """What the database knows when an execution begins."""

    id: UUID  # of the execution
    session_id: UUID
    moment: datetime
    zone: str  # of its owner
    settings: Values
    settings_version: int
    flags: dict[str, Any]  # switches that a rule decided
    inputs: dict[str, Any] | None  # what the person saved for the agent
    inputs_schema: Any  # and of which shape that was

    def columns(self) -> dict[str, Any]:
        """Return what of it the execution keeps."""
        names = ("id", "session_id", "zone", "settings", "settings_version", "flags")
        return {name: getattr(self, name) for name in names}


def surroundings(session: Session, agent: Agent, user_id: UUID) -> Surroundings:
    """Return what an execution of an agent that a person starts now begins with."""
    about = {"agent": agent.id, "user": user_id, "owner": agent.owner_id}
    row = session.execute(FIRST_STATE, about).one()
    decided = flags.decided(session, row, agent.id, user_id)
    return Surroundings(
        row.id, row.session_id, row.moment, row.zone, *decided, row.inputs, row.inputs_schema
    )


def new_ids(session: Session) -> dict[str, UUID]:
    """Return what names an execution that takes all else from another."""
    row = session.execute(text("SELECT uuidv7() AS id, uuidv7() AS session_id")).one()
    return {"id": row.id, "session_id": row.session_id}


def store(session: Session, row: Execution, by: Actor) -> None:
    """Write a new execution with the begin of its trail and timeline, and ring."""
    facts = {
        "agent": row.agent_name,
        "version": row.version_number,
        "mode": row.mode,
        "runs": row.runs,
        "reason": row.runs_reason,
        "session": str(row.session_id),
        "settings_version": row.settings_version,
    }
    facts |= {"replays": str(row.replay_of)} if row.replay_of is not None else {}
    told = [(Event.PILOT_EXECUTION_STARTED, facts)]
    if row.runs_reason == "pilot_disabled":
        told.append((Event.PILOT_DISABLED, {"agent": row.agent_name}))
    about = ("execution", row.id)
    given = {name: value for name, value in vars(row).items() if name[0] != "_"}
    values = {
        "inputs": json.dumps(given.pop("inputs")),
        "row": json.dumps(given, default=str),
        "event": strictjson.dumps(redact_event({"status": "queued"} | facts)),
        "records": [audit.told(session, event, by, about, one) for event, one in told],
    }
    session.execute(BEGIN, values)
    jobs.ring(session, row.id)
    progress.signal(session, row.id)
