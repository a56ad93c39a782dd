"""With whom an agent is shared: list, give, take back."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import Body, example, key, match, operation, reach
from pilot.engine.agents import agents, sharing
from pilot.engine.agents.access import Level
from pilot.engine.people.api_tokens import Scope
from pilot.errors import NotFoundError
from pilot.views import actor, json_answer, reading, signed_in

bp = Blueprint("api_sharing", __name__)
ALL = "/agents/<uuid:agent_id>/shares"
ONE = f"{ALL}/<uuid:user_id>"


class ShareBody(Body):
    """Whom to share it with, and for what; replaces what they had."""

    model_config = Body.model_config | example({"email": "ada@example.org", "level": "read"})
    email: str = Field(min_length=1, max_length=254)
    level: str = Field(description="`read` to look at it, `run` to start it too.", max_length=10)


class Share(BaseModel):
    """A person whom it is shared with."""

    user_id: UUID
    email: str
    name: str
    level: Level


class Shares(BaseModel):
    """The people, by name; who is no owner sees themselves alone."""

    items: list[Share]


class Unshared(BaseModel):
    """Who sees nothing of it any more."""

    user_id: UUID
    shared: bool


@operation(bp, ALL, scope=Scope.AGENTS_READ, gives=Shares)
def listed(agent_id: UUID) -> Any:
    """List the people whom an agent is shared with."""
    reach(agent_id)
    return {"items": _people(agent_id)}


@operation(bp, ONE, scope=Scope.AGENTS_READ, gives=Share, tagged=True)
def read(agent_id: UUID, user_id: UUID) -> Any:
    """Return for what an agent is shared with one person."""
    reach(agent_id)
    return _answer(_find(agent_id, user_id))


@operation(bp, ALL, scope=Scope.AGENTS_WRITE, gives=Share, method="POST", tagged=True)
def give(agent_id: UUID, json: ShareBody) -> Any:
    """Share an agent with a person; given twice is given once."""
    reach(agent_id)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in(), "key": key()}
    sharing.share(agent_id, json.email, json.level, **who)
    wanted = json.email.strip().lower()
    found = [one for one in _people(agent_id) if one.email == wanted]
    if not found:
        raise NotFoundError("It was taken back meanwhile.")
    return _answer(found[0])


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Unshared, method="DELETE", tagged=True)
def take_back(agent_id: UUID, user_id: UUID) -> Any:
    """Take it back: from the next request on that person sees nothing of it."""
    reach(agent_id)
    seen = _find(agent_id, user_id)
    match(_etag(seen), present=asdict(seen))
    sharing.unshare(agent_id, user_id, seen=seen.level, by=actor(), user_id=signed_in())
    return {"user_id": user_id, "shared": False}


def _find(agent_id: UUID, user_id: UUID) -> sharing.Shared:
    found = next((one for one in _people(agent_id) if one.user_id == user_id), None)
    if found is None:
        raise NotFoundError("It is not shared with this person.")
    return found


def _etag(shared: sharing.Shared) -> str:
    return f'"{shared.level}"'


def _answer(shared: sharing.Shared) -> Any:
    answer = json_answer(shared)
    answer.headers["ETag"] = _etag(shared)
    return answer


def _people(agent_id: UUID) -> list[sharing.Shared]:
    with reading() as session:
        agents.load(session, agent_id)
        return sharing.people(session, agent_id)
