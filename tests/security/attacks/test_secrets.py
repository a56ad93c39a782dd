"""Every `secret` input that has a form: absent from records, logs and error answers."""

import base64
from urllib.parse import quote

import pytest
import structlog

from pilot import audit, db, logs, redaction, strictjson, vault
from pilot.audit import Event
from pilot.engine.providers import provider_keys
from pilot.engine.running.checkpoints import Checkpoint
from pilot.llm.messages import Message, Request
from pilot.redaction import redact
from tests.pages import KEY
from tests.security.attacks.cases import literals

SECRETS = literals("secret")
PERSONAL = {"secret-10", "secret-11"}  # hidden with redact_pii on
KNOWN = 'orbit/77+"quartz"9'
NEEDED = 12  # characters of a value that tell it again


@pytest.mark.capability(281)
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_not_written(world, superuser, capsys, name):
    secret = SECRETS[name]
    redaction.hide_personal_data(name in PERSONAL)
    texts = written(world, superuser, capsys, f"the provider said: {secret}, which is wrong")
    for text in texts:
        assert secret.splitlines()[-1][:NEEDED] not in text
        assert "[redacted:" in text


def written(world, superuser, capsys, told):
    """Return what audit, logs, timeline, prompts and error texts tell of a text."""
    with db.transaction("test.secret", world.operator.id) as session:
        audit.record(
            session,
            Event.AGENT_UPDATED,
            actor=world.operator.actor,
            about=("agent", world.operator.id),
            owner_id=world.operator.id,
            details={"said": [told]},
        )
    before = structlog.get_config()
    logs.configure()
    structlog.get_logger().info("failed", said=told)
    structlog.configure(**before)
    records = "".join(row[0] for row in superuser.execute("SELECT record FROM audit").fetchall())
    event = Checkpoint(world.operator.id, 1, "result", events=[("step", "a", {"message": told})])
    asked = Request(told, (Message("user", told),)).without_secrets()
    prompt = asked.system + asked.messages[0].text
    return records, capsys.readouterr().err, event.rows().events[0], prompt, redact(told)


@pytest.mark.capability(281)
@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda text: base64.b64encode(f"key:{text}".encode()).decode(),
        lambda text: quote(text, safe=""),
        strictjson.dumps,
        lambda text: f"an_{text}_and_more",
    ],
)
def test_a_stored_secret_is_not_written_in_any_form(world, superuser, capsys, form):
    vault.configure([KEY])
    provider_keys.set_key("openai", KNOWN, by=world.admin.actor)
    hidden = form(KNOWN).strip('"')
    for text in written(world, superuser, capsys, f"it answered {hidden} and no more"):
        assert hidden[4:-4] not in text
        assert "[redacted:provider]" in text
        assert "no more" in text
    vault.configure([])
