"""Secrets stay where they were put: no page, log, dump, queue or export shows one."""

import io
import zipfile

import pytest
import redis

from pilot import audit_bundle, db, vault
from pilot.audit import Actor
from pilot.engine.people import api_tokens, personal_data
from pilot.engine.people.api_tokens import NewToken
from pilot.engine.providers import provider_keys
from pilot.engine.secrets import connections, secret_handles
from pilot.services import postgres
from tests.pages import KEY
from tests.services.test_doctor import FIELDS
from tests.world import PASSWORD

BY = Actor("cli:test")
PROVIDER_KEY, SECRET = "sk-canary-provider-0123456789", "canary-of-a-handle-0123456789"
MAIL_PASSWORD = "canary-of-a-mailbox-0123456789"


@pytest.fixture
def canaries(world, monkeypatch):
    """Give every kind of secret, by name; each is in use."""
    vault.configure([KEY])
    provider_keys.set_key("openai", PROVIDER_KEY, by=BY)
    secret_handles.put("canary", SECRET, ["a.test"], by=BY, user_id=world.admin.id)
    given = connections.Given("Canary", FIELDS, MAIL_PASSWORD)
    connections.create("mail", given, by=world.admin.actor, owner_id=world.admin.id)
    new = NewToken(label="canary", scopes=["agents:read"], days=30)
    token = api_tokens.create(new, by=world.admin.actor, owner_id=world.admin.id).token
    yield {
        "provider key": PROVIDER_KEY,
        "secret": SECRET,
        "password of a connection": MAIL_PASSWORD,
        "API token": token,
        "session cookie": world.admin.sign_in(),
        "password": PASSWORD,
        "secret key": KEY,
        "ending of a key": PROVIDER_KEY[-12:],
    }
    vault.configure([])


def shown(canaries, held):
    return sorted(name for name, value in canaries.items() if value in held)


@pytest.mark.capability(281)
def test_no_page_and_no_twin_shows_a_secret(canaries, app, browse, world, caplog, capfd):
    admin, found, seen = browse(world.admin), {}, 0
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.arguments or rule.rule.startswith("/api/"):
            continue
        held = admin.get(rule.rule).text
        seen += 1
        if shown(canaries, held):
            found[rule.rule] = shown(canaries, held)
    headers = {"Authorization": f"Bearer {canaries['API token']}"}
    app.test_client().get("/api/v1/agents", headers=headers)
    assert found == {}
    assert seen > 25
    logged = caplog.text + "".join(capfd.readouterr())
    assert shown(canaries, logged) == []


@pytest.mark.capability(281)
def test_no_dump_queue_trail_or_export_shows_a_secret(
    canaries, world, database, redis_url, tmp_path
):
    file = tmp_path / "dump.sql"
    postgres.run_program("pg_dump", ["--enable-row-security", "-f", file], database, tmp_path)
    assert shown(canaries, file.read_text()) == []
    with redis.Redis.from_url(redis_url) as client:
        held = b"".join(client.dump(key) or b"" for key in client.scan_iter())
    assert shown(canaries, held.decode(errors="replace")) == []
    with db.reading(None, sees_all=True) as session:
        assert shown(canaries, "\n".join(audit_bundle.bundle(session))) == []
    person = personal_data.find(world.admin.email)
    with zipfile.ZipFile(io.BytesIO(personal_data.export(person, tmp_path, by=BY))) as archive:
        held = "".join(archive.read(name).decode() for name in archive.namelist())
    assert shown(canaries, held) == []
