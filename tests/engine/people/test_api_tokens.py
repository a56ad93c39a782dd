"""Tokens: shown once, hashed, scoped, expiring, revoked at once; each acts as its owner."""

import pytest

from pilot import db
from pilot.engine.people import api_tokens, users
from pilot.engine.people.api_tokens import NewToken, Scope
from pilot.errors import InvalidError, NotFoundError
from tests.engine import worker_process as wp

READ = ["agents:read"]


def made(user, **fields):
    new = NewToken(**({"label": "Reports", "scopes": READ} | fields))
    return api_tokens.create(new, owner_id=user.id, by=user.actor)


def test_a_token_acts_as_its_owner_within_its_scopes(world, superuser):
    token = made(world.operator, scopes=["executions:run", "agents:read"])
    found = api_tokens.user(token.token, "192.0.2.7")
    assert (found.id, found.owner.id) == (token.id, world.operator.id)
    assert found.may(Scope.EXECUTIONS_RUN)
    assert not found.may(Scope.AUDIT_READ)
    assert found.agent_ids is None
    row = superuser.execute("SELECT token_hash, used_from FROM api_token").fetchone()
    assert token.token.startswith("plt_")
    assert row[1] == "192.0.2.7"
    assert token.token.encode() not in bytes(row[0])


def test_a_token_for_some_agents_reaches_no_other(world):
    agent = wp.make_agent(world.operator.id, [{"id": "x", "type": "delay", "for_s": 1}])
    found = api_tokens.user(made(world.operator, agent_ids=[agent]).token, "here")
    assert found.agent_ids == {agent}
    with pytest.raises(InvalidError, match="or it is not yours"):
        made(world.stranger, agent_ids=[agent])


@pytest.mark.parametrize(
    "text", ["", "plt_", "plt_" + "a" * 43, "x", "plt_" + "b" * 9_000, "plt_\0"]
)
def test_what_is_no_token_opens_nothing(world, database, text):
    assert api_tokens.user(text, "here") is None


def test_revoked_expired_or_of_a_person_who_is_off_it_opens_nothing(world, superuser):
    user = world.operator
    revoked, expired, off = made(user), made(user), made(world.viewer)
    api_tokens.revoke(revoked.id, owner_id=user.id, by=user.actor)
    query = "UPDATE api_token SET expires_at = pilot_now() WHERE id = %s"
    superuser.execute(query, [expired.id])
    users.set_active(world.viewer.id, False, by=world.admin.actor)
    assert [api_tokens.user(one.token, "here") for one in (revoked, expired, off)] == [None] * 3


def test_others_neither_see_nor_revoke_it(world):
    token = made(world.operator)
    with db.reading(world.stranger.id) as session:
        assert api_tokens.listed(session) == []
    with pytest.raises(NotFoundError):
        api_tokens.revoke(token.id, owner_id=world.stranger.id, by=world.stranger.actor)
    admin = world.admin
    api_tokens.revoke(token.id, owner_id=admin.id, by=admin.actor, sees_all=True)
    assert api_tokens.user(token.token, "here") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"label": " "},
        {"label": "x" * 81},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"days": 0},
        {"days": 366},
        {"kind": "robot"},
        {"agent_ids": []},
    ],
)
def test_what_is_no_token_is_not_made(world, superuser, fields):
    with pytest.raises(InvalidError):
        made(world.operator, **fields)
    assert superuser.execute("SELECT count(*) FROM api_token").fetchone() == (0,)


def test_making_and_revoking_are_on_record_without_the_token(world, superuser):
    user = world.operator
    token = made(user)
    api_tokens.revoke(token.id, owner_id=user.id, by=user.actor)
    records = [row[0] for row in superuser.execute("SELECT record FROM audit ORDER BY seq")]
    told = [one for one in records if "SETTINGS_API_KEY" in one]
    assert len(told) == 2
    assert not any(token.token in one for one in records)
