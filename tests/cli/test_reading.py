"""Commands that tell: agents, costs, settings, the version, the description of the API."""

import io
import json
from datetime import datetime

import pytest

from pilot import db
from tests.reports.ledger_rows import UNPRICED, book

STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}


@pytest.fixture
def told(shell):
    """Give `told(*arguments)`: what --json says."""
    return lambda *arguments: json.loads(shell("--json", *arguments)[1])


def test_an_agent_is_made_of_a_document_and_shown(shell, told, monkeypatch):
    document = json.dumps({"format": 1, "name": "One", "steps": [STEP]})
    made = []
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.StringIO(document))
        made.append(told("agent", "create", "One", "--document", "-", "--key", "k"))
    assert made[0] == made[1]
    shown = told("agent", "show", "One")
    assert (shown["id"], shown["document"]["steps"]) == (made[0]["agent"], [STEP])
    assert shown["forecast"]["asks"] == 0
    code, out, _ = shell("agent", "show", made[0]["agent"])
    assert (code, out.splitlines()[0]) == (0, f"{made[0]['agent']}  One, version 1")
    assert shell("agent", "create", "Two", "--document", "no-such-file")[0] == 3
    monkeypatch.setattr("sys.stdin", io.StringIO("steps:\n- {id: a, type: delay, for_s: 1}\n"))
    assert told("agent", "create", "Three", "--document", "-")["version"] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(document.replace("set", "rocket")))
    assert shell("agent", "create", "Two", "--document", "-")[0] == 5


def test_costs_end_with_today_in_their_zone(told, world, superuser, monkeypatch):
    late = superuser.execute("SELECT date_trunc('day', now()) + interval '20 hours'").fetchone()[0]
    monkeypatch.setattr(db, "now", lambda: late)
    book(superuser, world.operator.id)
    superuser.execute("UPDATE call SET at = %s", [late])  # 05:00 of the next day in Tokyo
    report = ("--as", world.operator.email, "cost", "report")
    assert told(*report, "--zone", "Asia/Tokyo")["total"]["calls"] == 1
    assert told(*report)["total"]["calls"] == 1


@pytest.mark.capability(292)
def test_costs_are_those_that_the_person_may_see(shell, told, world, superuser):
    book(superuser, world.operator.id)
    book(superuser, world.operator.id, **UNPRICED)
    report = told("--as", world.operator.email, "cost", "report", "--group", "model")
    assert {line["key"] for line in report["lines"]} == {"cheap-2026", "own"}
    assert report["total"]["unpriced_calls"] == 1
    out = shell("--as", world.operator.email, "cost", "report")[1]
    assert out.splitlines()[-1].endswith("2 calls  2,200 tokens  >= $0.001 + 1 unpriced")
    assert told("--as", world.stranger.email, "cost", "report")["lines"] == []
    ends = (("--until", "0001-01-01"), ("--until", "9999-12-31"))
    for wrong in (("--since", "x"), ("--zone", "Mars"), ("--since", "2999-01-01"), *ends):
        assert shell("cost", "report", *wrong)[0] == 5, wrong


def test_a_setting_is_shown_with_its_default(shell, told):
    got = told("setting", "get", "pilot_enabled")
    assert (got["key"], got["value"], got["default"]) == ("pilot_enabled", True, False)
    for unknown in (("get", "colour"), ("set", "colour", "red")):
        assert shell("setting", *unknown)[0] == 3


def test_the_version_names_its_migration(told):
    assert told("version")["migration"].isdigit()


def test_the_description_is_that_of_the_api(shell, monkeypatch):
    monkeypatch.setenv("PILOT_SECRET_KEYS", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
    found = json.loads(shell("openapi")[1])
    assert found["openapi"].startswith("3.1")
    assert "/api/v1/agents/{agent_id}/executions" in found["paths"]


@pytest.mark.capability(228)
def test_moments_are_told_to_programs_as_rfc_3339_has_them(shell, told):
    assert shell("prices", "init")[0] == 0
    priced = next(one for one in told("prices", "list") if one["valid_from"])
    (one, *_) = told("prices", "list", priced["id"])
    assert datetime.fromisoformat(one["valid_from"]).tzinfo is not None
    assert one["valid_from"].endswith("Z")
