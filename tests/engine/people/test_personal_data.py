"""A person's data: taken along, made anonymous, erased; no dump shows a trace of them."""

import io
import json
import zipfile
from decimal import Decimal

import pytest

from pilot import audit, audit_bundle, cli, db
from pilot.audit import Actor
from pilot.engine import folders
from pilot.engine.people import passwords, personal_data, users
from pilot.engine.triggers import zones
from pilot.engine.upkeep import anchors
from pilot.errors import ConflictError, InvalidError
from pilot.reports import audit as trail
from pilot.reports.listing import Wanted
from pilot.services import postgres
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import book
from tests.world import person

BY = Actor("cli:test")
NAME, EMAIL, PLACE, BROWSER = "Zelda", "zelda@pilot.test", "203.0.113.77", "Zeldascape"
CANARIES = (NAME, EMAIL, PLACE, BROWSER, "quaxgoal", "quaxrow")
STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": "quaxgoal"}}


@pytest.fixture
def zelda(world, database, redis_url, tmp_path, monkeypatch, superuser):
    """Give a person who left traces everywhere."""
    monkeypatch.setattr(passwords, "hashed", lambda _: "not a hash")
    monkeypatch.setattr(passwords, "matches", lambda *_: True)
    for name, value in {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "PILOT_DATA": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    wp.switch_on()
    found = person(NAME.lower(), "operator")
    zones.choose(found.id, "Europe/Berlin", by=Actor(found.actor.name, PLACE))
    users.authenticate(EMAIL, "x", users.Origin(PLACE, BROWSER))
    monkeypatch.setattr(passwords, "matches", lambda *_: False)
    with pytest.raises(InvalidError):
        users.authenticate(EMAIL, "x", users.Origin(PLACE, BROWSER))
    execution = wp.start(wp.make_agent(found.id, [STEP], goal="quaxgoal"), found.id)
    book(superuser, found.id, execution_id=execution, issues='["quaxgoal"]')
    with db.transaction("test.tell", None) as session:
        for chain, details in ((execution, {"said": "quaxgoal"}), (None, {"to": EMAIL})):
            about = ("execution", chain) if chain else ("approval", 1)
            event = audit.Event.NOTIFICATION_FAILED
            audit.record(session, event, actor="worker", about=about, details=details)
        event, details = audit.Event.AGENT_UPDATED, {"note": f"for {NAME} ({EMAIL})"}
        audit.record(session, event, actor=world.admin.actor, about=("agent", 1), details=details)
    superuser.execute(
        "INSERT INTO blob (owner_id, sha256, size, media_type, content) "
        "VALUES (%s, sha256('\"quaxgoal\"'), 10, 'application/json', '\"quaxgoal\"')",
        [found.id],
    )
    table = folders.private(tmp_path, found.id) / "tables" / "a.csv"
    table.parent.mkdir(parents=True)
    table.write_text("quaxrow\n")
    return found


def dumped(database, folder):
    """Return everything that pg_dump finds, as text."""
    file = folder / "dump.sql"
    postgres.run_program("pg_dump", ["--enable-row-security", "-f", file], database, folder)
    return file.read_text()


def traces(text):
    return [one for one in CANARIES if one.lower() in text.lower()]


def trail_rows():
    with db.reading(None, sees_all=True) as session:
        assert audit.verify(session)[1] == []
        assert audit_bundle.verify_bundle(list(audit_bundle.bundle(session)))[1] == []
        return trail.listed(session, trail.Filters(), Wanted("-at", size=200)).rows


@pytest.mark.capability(301)
def test_no_dump_shows_an_erased_person_and_the_trail_still_verifies(
    zelda, database, tmp_path, superuser, capsys
):
    before = dumped(database, tmp_path)
    assert set(traces(before)) == set(CANARIES) - {"quaxrow"}
    assert {PLACE} < {row["details"].get("address") for row in trail_rows()} | {PLACE, ""}
    assert [row["details"]["to"] for row in trail_rows() if "to" in row["details"]] == [EMAIL]
    records = superuser.execute("SELECT string_agg(record, '') FROM audit").fetchone()[0]
    assert PLACE not in records
    anchors.Anchors(tmp_path).append()

    assert cli.main(["--json", "user", "erase", "--yes", EMAIL]) == 0
    assert json.loads(capsys.readouterr().out)["left"] == {}
    assert traces(dumped(database, tmp_path)) == []
    assert not (tmp_path / "users" / str(zelda.id)).exists()
    shown = trail_rows()
    assert "[erased]" in {row["details"].get("address") for row in shown}
    assert shown[0]["event"] == "DATA_DELETED"
    cost = superuser.execute("SELECT sum(cost) FROM call WHERE owner_id = %s", [zelda.id])
    assert cost.fetchone() == (Decimal("0.001"),)
    with db.reading(None, sees_all=True) as session:
        marks = anchors.check_own(tmp_path).marks
        assert audit.verify(session, marks=marks)[1] == []
    assert cli.main(["user", "erase", "--yes", str(zelda.id)]) == 0  # again: nothing is left
    assert cli.main(["user", "erase", "--yes", EMAIL]) == 3


@pytest.mark.capability(301)
def test_an_anonymous_persons_work_stays_without_them(zelda, database, tmp_path, superuser):
    one = personal_data.find(EMAIL)
    done = personal_data.anonymise(one, url=database, by=BY)
    assert done.left == {}
    assert set(traces(dumped(database, tmp_path))) == {"quaxgoal"}
    kept = superuser.execute(
        "SELECT u.name, u.active, u.password_hash, a.goal FROM app_user u "
        "JOIN agent a ON a.owner_id = u.id WHERE u.id = %s",
        [zelda.id],
    )
    assert kept.fetchone() == ("Erased person", False, None, "test")
    trail_rows()


@pytest.mark.capability(301)
def test_an_export_has_all_that_belongs_to_a_person_and_no_secret(zelda, tmp_path, world):
    file = tmp_path / "zelda.zip"
    assert cli.main(["user", "export", EMAIL, str(file)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert json.loads(held["app_user.json"])[0]["email"] == EMAIL
    assert json.loads(held["user_session.json"])[0]["browser"] == BROWSER
    assert held["files/tables/a.csv"] == "quaxrow\n"
    (output,) = (held[name] for name in held if name.startswith("outputs/"))
    assert output == '"quaxgoal"'
    assert [one["details"].get("address") for one in json.loads(held["audit.json"])].count(PLACE)
    assert len(json.loads(held["execution.json"])) == len(json.loads(held["agent.json"])) == 1
    everything = "".join(held.values())
    assert "token_hash" not in everything
    assert "password_hash" not in everything
    assert world.stranger.email not in everything
    assert cli.main(["user", "export", EMAIL, str(file)]) == 4


def test_the_last_administrator_cannot_be_erased(zelda, world, database, tmp_path):
    with pytest.raises(ConflictError, match="last active administrator"):
        personal_data.erase(personal_data.find(world.admin.email), tmp_path, url=database, by=BY)


def test_what_others_write_about_a_person_is_named(zelda, world, database, tmp_path):
    wp.make_agent(world.operator.id, [STEP | {"config": {"value": f"ask {EMAIL}"}}])
    done = personal_data.erase(personal_data.find(EMAIL), tmp_path, url=database, by=BY)
    assert done.left == {"workflow_version": 1}
