"""Approvals: listed and read. No token decides: a signed-in person does."""

from typing import Any, Literal
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field, RootModel

from pilot.api import Page, for_all_agents, listed, operation, reach, wanted
from pilot.engine.life import executions
from pilot.engine.people.api_tokens import Scope
from pilot.reports import approvals as rows
from pilot.views import downloads, reading, signed_in

bp = Blueprint("api_approvals", __name__)
SORTS = {"mine": "deadline", "all": "deadline", "decided": "-asked"}


class ListQuery(Page):
    """Which approvals."""

    tab: Literal["mine", "all", "decided"] = "mine"
    q: str = Field("", max_length=200, description="In the title or in what would happen.")


class Listing(BaseModel):
    """A page of approvals."""

    items: list[dict[str, Any]]
    next: str | None


class Payload(RootModel[Any]):
    """What exactly would happen, whole."""


class Approval(BaseModel):
    """What a decision would let happen; `payload_hash` covers `payload` exactly.

    Of a large one, `payload` is an excerpt, and `payload_size_bytes` says how large the whole is.
    """

    id: UUID
    execution_id: UUID
    status: str
    title: str
    message: str
    payload: dict[str, Any]
    payload_size_bytes: int | None
    payload_hash: str
    needed: int
    approved: int
    people: list[str]
    unmet: str | None = Field(
        description="Why too few may still answer, and what to do; null: enough may."
    )


@operation(bp, "/approvals", scope=Scope.APPROVALS_READ, gives=Listing)
def index(query: ListQuery) -> dict[str, Any]:
    """List approvals: that wait for the owner of the token, for anybody, or decided ones."""
    for_all_agents()
    bound, sort = {"tab": query.tab, "q": query.q}, SORTS[query.tab]
    with reading() as session:
        found = rows.listed(session, query.tab, wanted(query, sort, bound), signed_in(), query.q)
    return listed(found, sort, bound)


@operation(bp, "/approvals/<uuid:approval_id>", scope=Scope.APPROVALS_READ, gives=Approval)
def read(approval_id: UUID) -> dict[str, Any]:
    """Return an approval with what exactly would happen."""
    shown = _reached(approval_id)
    row = shown.row
    return {
        "id": row.id,
        "execution_id": row.execution_id,
        "status": shown.status,
        "title": row.title,
        "message": row.message,
        "payload": shown.payload,
        "payload_size_bytes": shown.size_bytes,
        "payload_hash": row.payload_hash,
        "needed": row.needed,
        "approved": shown.approved,
        "people": shown.people,
        "unmet": shown.unmet.words if shown.unmet else None,
        "requested_at": row.requested_at,
        "expires_at": row.expires_at,
    }


@operation(bp, "/approvals/<uuid:approval_id>/payload", scope=Scope.APPROVALS_READ, gives=Payload)
def payload(approval_id: UUID) -> Any:
    """Return all that would happen, however large: the bytes that `payload_hash` is of."""
    _reached(approval_id)
    return downloads.payload(approval_id)


def _reached(approval_id: UUID) -> rows.Shown:
    with reading() as session:
        shown = rows.shown(session, approval_id, signed_in())
        if shown.row.owner_id == signed_in():
            reach(executions.find(session, shown.row.execution_id).agent_id)
        else:  # somebody else's agent asks the owner of the token
            for_all_agents()
    return shown
