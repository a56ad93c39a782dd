"""Executions: start, list, read, follow, pause, resume, retry, cancel."""

from dataclasses import asdict
from functools import partial
from typing import Any, Literal
from uuid import UUID

from flask import Blueprint
from pydantic import Field, model_validator

from pilot.api import (
    CSV,
    STREAM,
    Body,
    Page,
    Problem,
    Strict,
    example,
    key,
    listed,
    operation,
    reach,
    wanted,
    wants,
)
from pilot.api.executions_told import (
    Events,
    Expected,
    Listing,
    Output,
    Outputs,
    Receipt,
    Result,
    Whole,
    Why,
)
from pilot.api.narrowed import Narrowed
from pilot.engine.agents.agents import MOST_VERSIONS
from pilot.engine.life import executions, receipts, retrying, starts
from pilot.engine.life.forecast import forecast
from pilot.engine.people.api_tokens import Scope
from pilot.engine.providers import budgets
from pilot.errors import BadJsonError
from pilot.reports import execution as report
from pilot.reports import executions as rows
from pilot.reports import results, standing
from pilot.views import actor, downloads, reading, setup, signed_in, visitor
from pilot.views.lists import sheet
from pilot.views.streams import EventStream

bp = Blueprint("api_executions", __name__)
ONE = "/executions/<uuid:execution_id>"
SORT = "-started"
MAX_WAIT_S = 60


class ListQuery(Page, Narrowed):
    """Which executions, and which part of them."""


class StartBody(Body):
    """What is started; a document in its place is refused."""

    model_config = example({"mode": "run", "inputs": {"city": "Kassel"}, "budget_usd": "0.50"})

    mode: Literal["run", "test"] = "run"
    inputs: dict[str, Any] = Field(default_factory=dict)
    prompt: str | None = Field(None, min_length=1, max_length=20_000)
    version: int | None = Field(
        None, ge=1, le=MOST_VERSIONS, description="Of the agent's workflow; the newest."
    )
    simple: bool = False
    budget_usd: str | None = Field(None, max_length=20, description='Such as "0.50".')

    @model_validator(mode="before")
    @classmethod
    def _refuse_documents(cls, value: Any) -> Any:
        """Refuse a workflow: what runs is saved as a version before, and checked there."""
        for name in {"steps", "data"} & (value.keys() if isinstance(value, dict) else set()):
            raise BadJsonError(f"A start takes no workflow: leave out `{name}`, save a version.")
        return value


class StartQuery(Strict):
    """How long to wait for the result."""

    wait: int = Field(0, ge=0, le=MAX_WAIT_S, description="Seconds.")


class ReceiptQuery(Strict):
    """Of what."""

    kind: Literal["resume", "retry"] = "resume"
    from_step: str = Field("", max_length=500, description="The path where a retry starts.")


class SeenBody(Body):
    """The event sequence of the receipt that was read before."""

    model_config = example({"sequence": 17})

    sequence: int | None = Field(None, ge=0)


class RetryBody(SeenBody):
    """From which step on; without one, the failed steps."""

    model_config = example({"sequence": 17, "from_step": "send", "repeat_effects": True})

    from_step: str = Field("", max_length=500, description="Its path.")
    repeat_effects: bool = Field(
        False, description="Whether effects that happened already may happen once more."
    )


class AnswerBody(Body):
    """What became of a step: it happened, run it, or skip it."""

    model_config = example({"path": "send", "said": "happened", "result": {"sent": 1}})

    path: str = Field(min_length=1, max_length=500, examples=["send"])
    said: Literal["happened", "run", "skip"]
    result: Any = Field(None, description="Its output, if it happened.")


class EventsQuery(Strict):
    """From which event on."""

    after: int = Field(0, ge=0, le=2**53)


@operation(bp, "/executions", scope=Scope.EXECUTIONS_READ, gives=Listing, other=CSV)
def index(query: ListQuery) -> Any:
    """List executions, the newest first; as CSV all that match."""
    filters = query.filters()
    bound = filters.chosen()
    page = wanted(query, SORT, bound)
    if wants(CSV):
        return sheet(lambda session, one: rows.listed(session, filters, one), page)
    with reading() as session:
        found = rows.listed(session, filters, page)
    return listed(found, SORT, bound)


@operation(
    bp,
    "/agents/<uuid:agent_id>/executions",
    scope=Scope.EXECUTIONS_RUN,
    gives=Result,
    method="POST",
    status=202,
    at="/executions/{execution_id}/result",
    also={200: Result, 500: Result},
)
def start(agent_id: UUID, json: StartBody, query: StartQuery) -> Any:
    """Start an execution; the same Idempotency-Key and body within 24 h start once."""
    reach(agent_id)
    asked = starts.Start(
        mode=json.mode,
        inputs=json.inputs,
        prompt=json.prompt,
        version=json.version,
        simple=json.simple,
        key=key(),
        trigger="api",
        budget_usd=budgets.read(json.budget_usd or "", "").usd,
    )
    execution_id = starts.start(agent_id, asked, by=actor(), user_id=signed_in(), setup=setup())
    facts = results.awaited(reading, execution_id, query.wait)
    # What came of it is told to who waits for it; else it may have failed before it is read here.
    return facts, results.http_status(facts) if query.wait else 202


@operation(bp, ONE, scope=Scope.EXECUTIONS_READ, gives=Whole)
def read(execution_id: UUID) -> Any:
    """Return an execution with its steps, attempts and calls to models."""
    with reading() as session:
        shown = report.shown(session, execution_id)
    reach(shown.row.agent_id)
    return report.facts(shown)


@operation(bp, f"{ONE}/result", scope=Scope.EXECUTIONS_READ, gives=Result)
def result(execution_id: UUID, query: StartQuery) -> Any:
    """Return how it stands, once it ends or rests, at the latest after `wait` seconds."""
    _reached(execution_id)
    return results.awaited(reading, execution_id, query.wait)


@operation(bp, f"{ONE}/events", scope=Scope.EXECUTIONS_READ, gives=Events, other=STREAM)
def events(execution_id: UUID, query: EventsQuery) -> Any:
    """Return the lines of its timeline after an event; as a stream until it is final."""
    _reached(execution_id)
    if wants(STREAM):
        lines = partial(_lines, execution_id)
        return EventStream(execution_id, standing.executions, lines).response()
    return {"items": _lines(execution_id, query.after)}


def _lines(execution_id: UUID, after: int) -> list[dict[str, Any]]:
    with reading() as session:
        return report.events(session, execution_id, after)


@operation(bp, f"{ONE}/outputs", scope=Scope.EXECUTIONS_READ, gives=Outputs)
def outputs(execution_id: UUID) -> Any:
    """Return its output and, by path, those of its completed steps."""
    _reached(execution_id)
    with reading() as session:
        shown = report.shown(session, execution_id)
    done = {one.path: one.attempts[-1].output for one in shown.steps if one.status == "completed"}
    return {"output": shown.row.output, "steps": done}


@operation(bp, f"{ONE}/output", scope=Scope.EXECUTIONS_READ, gives=Output)
def output(execution_id: UUID) -> Any:
    """Return its whole output, however large."""
    _reached(execution_id)
    return downloads.output(execution_id)


@operation(bp, f"{ONE}/outputs/<path:path>", scope=Scope.EXECUTIONS_READ, gives=Output)
def step_output(execution_id: UUID, path: str) -> Any:
    """Return the whole output of a completed step, however large."""
    _reached(execution_id)
    return downloads.output(execution_id, path)


@operation(bp, f"{ONE}/why", scope=Scope.EXECUTIONS_READ, gives=Why)
def why(execution_id: UUID) -> Any:
    """Return in words why it does not move."""
    _reached(execution_id)
    with reading() as session:
        shown = report.shown(session, execution_id)
    return {"status": shown.row.status, "why": shown.why}


@operation(bp, f"{ONE}/forecast", scope=Scope.EXECUTIONS_READ, gives=Expected)
def expected(execution_id: UUID) -> Any:
    """Return what an execution of its workflow usually takes, and what this one took so far."""
    _reached(execution_id)
    with reading() as session:
        shown = report.shown(session, execution_id)
        found = forecast(session, shown.document, shown.row.agent_id, shown.row.inputs)
    return {
        "forecast": None if found is None else asdict(found),
        "working_ms": shown.working_ms,
        "cost_usd": shown.calls.known_cost,
        "unpriced_calls": shown.calls.unpriced,
    }


@operation(bp, f"{ONE}/receipt", scope=Scope.EXECUTIONS_READ, gives=Receipt, also={409: Problem})
def receipt(execution_id: UUID, query: ReceiptQuery) -> Any:
    """Return what a resume or a retry would do; its sequence goes with the POST."""
    _reached(execution_id)
    with reading() as session:
        made = receipts.receipt(session, execution_id, query.kind, query.from_step or None)
    return made.facts()


@operation(bp, f"{ONE}/pause", scope=Scope.EXECUTIONS_RUN, gives=Result, method="POST")
def pause(execution_id: UUID) -> Any:
    """Pause before the next step."""
    _reached(execution_id)
    executions.pause(execution_id, **_who())
    return _now(execution_id)


@operation(bp, f"{ONE}/cancel", scope=Scope.EXECUTIONS_RUN, gives=Result, method="POST")
def cancel(execution_id: UUID) -> Any:
    """Cancel; what has happened outside stays."""
    _reached(execution_id)
    executions.cancel(execution_id, **_who())
    return _now(execution_id)


@operation(bp, f"{ONE}/resume", scope=Scope.EXECUTIONS_RUN, gives=Result, method="POST")
def resume(execution_id: UUID, json: SeenBody) -> Any:
    """Resume, if the receipt still holds."""
    _reached(execution_id)
    executions.resume(execution_id, seen_seq=json.sequence, **_who())
    return _now(execution_id)


@operation(bp, f"{ONE}/retry", scope=Scope.EXECUTIONS_RUN, gives=Result, method="POST")
def retry(execution_id: UUID, json: RetryBody) -> Any:
    """Run the failed steps, or one and what follows from it, again, if the receipt still holds."""
    _reached(execution_id)
    who = _who() | {"seen_seq": json.sequence}
    if json.from_step:
        again = json.repeat_effects
        retrying.from_step(execution_id, json.from_step, repeat_effects=again, **who)
    else:
        retrying.failed(execution_id, **who)
    return _now(execution_id)


@operation(bp, f"{ONE}/answer", scope=Scope.EXECUTIONS_RUN, gives=Result, method="POST")
def answer(execution_id: UUID, json: AnswerBody) -> Any:
    """Say what became of a step whose outcome nobody knows."""
    _reached(execution_id)
    executions.answer(execution_id, json.path, json.said, result=json.result, **_who())
    return _now(execution_id)


def _reached(execution_id: UUID) -> None:
    with reading() as session:
        agent_id = executions.find(session, execution_id).agent_id
    reach(agent_id)


def _who() -> dict[str, Any]:
    return {
        "by": actor(),
        "user_id": signed_in(),
        "sees_all": visitor().sees_all,
        "key": key(),
    }


def _now(execution_id: UUID) -> dict[str, Any]:
    with reading() as session:
        return results.result(session, execution_id)
