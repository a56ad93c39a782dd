"""Files go from step to step as handles: rows hold neither their bytes nor a path."""

from email import message_from_bytes
from email.policy import default

import pytest

from pilot.engine import folders
from pilot.errors import InvalidError
from tests.engine import worker_process as wp
from tests.plugins.test_mail_files import NAME, PDF, with_files


def action(name, params, *after):
    step = {"id": name, "type": "action", "plugin": "mail", "action": name, "params": params}
    return step | ({"dependencies": list(after)} if after else {})


STEPS = [
    action("search", {"has_attachment": True}),
    action(
        "get_attachment",
        {"id": "{{steps.search.output.messages[0].id}}", "attachment": "1"},
        "search",
    ),
    action(
        "send",
        {
            "to": ["ann@example.com"],
            "subject": "The invoice",
            "text": "It is called {{steps.get_attachment.output.name}}.",
            "attachments": ["{{steps.get_attachment.output}}"],
        },
        "get_attachment",
    ),
]


@pytest.mark.capability(26)
def test_a_file_of_a_mail_is_sent_on_by_its_handle(world, database, redis_url, tmp_path):
    owner = world.operator
    inbox = folders.private(tmp_path, owner.id) / "mail" / owner.email / "INBOX" / "new"
    inbox.mkdir(parents=True)
    (inbox / "one").write_bytes(with_files((NAME, "application/pdf", PDF)))
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)):
        execution = wp.start(wp.make_agent(owner.id, STEPS), owner.id)
        assert wp.wait_for(database, execution)[0] == "completed"
    outputs = {path: output for path, _, _, output in wp.attempts(database, execution)}
    assert outputs["get_attachment"]["name"] == NAME
    assert sorted(outputs["get_attachment"]) == ["file", "media_type", "name", "size"]
    (path,) = (inbox.parents[2] / "ann@example.com/INBOX/new").iterdir()
    mail = message_from_bytes(path.read_bytes(), policy=default)
    (part,) = mail.iter_attachments()
    assert (part.get_filename(), part.get_payload(decode=True)) == (NAME, PDF)


def test_what_is_no_file_is_refused_when_the_workflow_is_saved(world):
    wrong = STEPS[2]["params"] | {"text": "x", "attachments": ["{{steps.search.output.more}}"]}
    with pytest.raises(InvalidError, match="true or false; the parameter takes an object"):
        wp.make_agent(world.operator.id, [STEPS[0], action("send", wrong, "search")])
