"""Agents leave and come in as one YAML text: byte-equal, without ids and secrets, switched off."""

import pytest
from sqlalchemy import select

from pilot import db, redaction
from pilot.engine.agents import agents, portable
from pilot.errors import ConflictError, InvalidError
from pilot.models.agent import Agent
from tests.engine import worker_process as wp

STEP = {"id": "it", "type": "transform", "operation": "set", "config": {"value": "yes\n# no: 1"}}
TEXT = """pilot: 1
kind: agent
name: 'Zürich "shop": é'
goal: |-
  two
  lines
prompt: null-ish
tags: ["yes", '1']
document:
  format: 1
  name: Shop
  steps:
  - {id: it, type: transform, operation: set, config: {value: 1}}
"""


def bring_in(who, text, **more):
    given = {"new_version": False} | more
    source = text if isinstance(text, bytes) else text.encode()
    return portable.bring_in(source, by=who.actor, user_id=who.id, **given)


def text_of(who, agent_id):
    with db.reading(who.id) as session:
        agent = agents.load(session, agent_id)
        return portable.text(agent, agents.newest(session, agent))


def known(who):
    with db.reading(who.id) as session:
        return list(session.scalars(select(Agent.name)))


@pytest.mark.capability(233)
def test_what_comes_in_goes_out_and_comes_in_elsewhere_byte_for_byte(world):
    made = bring_in(world.operator, TEXT)
    out = text_of(world.operator, made)
    assert "two\n  lines" in out
    elsewhere = bring_in(world.stranger, out)
    assert text_of(world.stranger, elsewhere) == out
    assert str(made) not in out + str(world.operator.id)


def test_an_agent_of_a_prompt_alone_and_strange_texts_come_back_equal(world):
    by = {"owner_id": world.operator.id, "by": world.operator.actor}
    for name, prompt in (
        ("a", "say: 'x' # {{inputs.a}}\n\n  - y\u2028z"),
        ("b", "~"),
        ("c", "1e3"),
    ):
        made = agents.create(agents.NewAgent(name, prompt=prompt), None, **by).agent_id
        out = text_of(world.operator, made)
        assert text_of(world.stranger, bring_in(world.stranger, out)) == out


@pytest.mark.capability(233)
def test_it_comes_in_switched_off_and_starts_nothing(world, superuser):
    bring_in(world.operator, TEXT)
    active, count = superuser.execute(
        "SELECT active, (SELECT count(*) FROM execution) FROM agent"
    ).fetchone()
    assert (active, count) == (False, 0)


@pytest.mark.capability(233)
def test_secrets_do_not_leave_and_handles_stay(world):
    redaction.learn("canary-0123456789", "secret")
    params = {
        "url": "https://a.test/",
        "method": "POST",
        "headers": {"authorization": "Bearer {{secret:shop-key}}"},
        "json": {"password": "canary-0123456789", "key": "sk-proj-A1b2A1b2A1b2A1b2"},
    }
    step = {"id": "tell", "type": "action", "plugin": "http", "action": "request", "params": params}
    out = text_of(world.operator, wp.make_agent(world.operator.id, [step]))
    assert "Bearer {{secret:shop-key}}" in out
    assert "canary" not in out
    assert "sk-proj" not in out


@pytest.mark.capability(233)
def test_a_dry_run_shows_what_would_change_and_stores_nothing(world):
    first = portable.preview(TEXT.encode(), user_id=world.operator.id)
    assert (first.agent_id, known(world.operator)) == (None, [])
    made = bring_in(world.operator, TEXT)
    same = text_of(world.operator, made)
    assert portable.preview(same.encode(), user_id=world.operator.id).changes == []
    other = same.replace("value: 1", "value: 2")
    would = portable.preview(other.encode(), user_id=world.operator.id)
    assert would.agent_id == made
    assert [one.strip() for one in would.changes if "value" in one] == [
        "-      value: 1",
        "+      value: 2",
    ]


def test_a_known_name_is_refused_or_changed_if_asked(world):
    made = bring_in(world.operator, TEXT)
    with pytest.raises(ConflictError):
        bring_in(world.operator, TEXT)
    out = text_of(world.operator, made).replace("value: 1", "value: 2").replace("lines", "rows")
    assert bring_in(world.operator, out, new_version=True) == made
    assert text_of(world.operator, made) == out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "empty"),
        (b"\xff\xfe", "UTF-8"),
        ("name: x", "pilot is missing: an exported agent has it."),
        (TEXT + "id: 7\n", "id is no part of an exported agent: remove it."),
        (TEXT.replace("kind: agent", "kind: plan"), "kind"),
        (TEXT.replace("pilot: 1", "pilot: 2"), "pilot"),
        (TEXT.replace("goal:", "name: again\ngoal:"), "twice"),
        (TEXT.replace("null-ish", "&a x"), "aliases"),
        (TEXT.replace("null-ish", "!!python/object/apply:os.system [id]"), "tag"),
        (TEXT.replace("null-ish", "2026-01-01") + "x: " + "[" * 70 + "]" * 70, "deeper"),
        (TEXT.replace("type: transform", "type: shell"), "shell"),
        ("a" * (portable.MAX_BYTES + 1), "5 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_what_is_not_right_is_named_and_stores_nothing(world, text, told):
    with pytest.raises(InvalidError) as caught:
        bring_in(world.operator, text)
    assert told in " ".join(one.message for one in caught.value.issues)
    assert known(world.operator) == []
