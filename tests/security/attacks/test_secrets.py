"""Every `secret` input that has a form: absent from records, logs and error answers."""

import pytest
import structlog

from pilot import audit, db, logs
from pilot.audit import Event
from pilot.redaction import redact
from tests.security.attacks.cases import literals

SECRETS = {
    name: text
    for name, text in literals("secret").items()
    if name not in {"secret-10", "secret-11"}
}
NEEDED = 12  # characters of a value that tell it again


@pytest.mark.capability(281)
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_not_written(world, superuser, capsys, name):
    secret = SECRETS[name]
    told = f"the provider said: {secret}, which is wrong"
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
    for text in (records, capsys.readouterr().err, redact(told)):
        assert secret.splitlines()[-1][:NEEDED] not in text
        assert "[redacted:" in text
