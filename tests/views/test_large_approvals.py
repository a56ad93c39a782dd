"""What an approval asks about may be large: an excerpt to look at, and the whole as a file."""

import hashlib

import pytest

from pilot import settings, strictjson
from pilot.engine import digests
from pilot.engine.approvals import excerpts
from pilot.engine.notices.letters import Channels
from pilot.errors import StepError
from tests.engine import worker_process as wp
from tests.engine.notices.relaying import mails, relay

PIECE, PIECES = "<b>" + "x" * 99_997, 45  # 4.5 MB together
MOST_PAGE_BYTES = 300_000
INPUTS = {"type": "object", "properties": {"text": {"type": "string"}}}
STEPS = [
    {
        "id": "read",
        "type": "transform",
        "operation": "set",
        "config": {"value": [{"text": "{{inputs.text}}"}] * PIECES},
    },
    {
        "id": "ask",
        "type": "human_approval",
        "title": "Keep all rows?",
        "message": "Look first",
        "context": {"source": "the archive"},
        "approvers": ["role:approver"],
    },
    {
        "id": "keep",
        "type": "action",
        "plugin": "tables",
        "action": "append_rows",
        "params": {"table": "log", "rows": "{{steps.read.output}}"},
        "dependencies": ["ask"],
    },
]


def test_an_excerpt_names_what_it_cuts_and_keeps_what_is_small():
    small, large = {"to": ["ann@example.com"]}, "x" * 50_000_000
    steps = [{"step": "send", "action": "mail.send", "params": small | {"html": large}}]
    payload = {"title": "Send?", "message": None, "context": [1], "steps": steps}
    found = excerpts.terms(payload, 50_000_200)["excerpt"]
    (step,) = found["steps"]
    assert (found["title"], found["context"], found["cut"]) == ("Send?", [1], [])
    assert (step["params"]["to"], step["cut"]) == (["ann@example.com"], ["html"])
    assert step["params"]["html"]["size_bytes"] == 50_000_002
    assert len(strictjson.dumps(found)) < excerpts.WHOLE_BYTES
    many = [steps[0] | {"params": {str(n): "x" * 300 for n in range(10)}} for _ in range(400)]
    found = excerpts.terms(payload | {"steps": many}, 1_300_000)["excerpt"]
    assert all(len(one["cut"]) == 10 for one in found["steps"])
    assert len(strictjson.dumps(found)) < 2 * excerpts.WHOLE_BYTES


def test_what_is_small_is_shown_whole_and_what_is_too_large_is_refused(monkeypatch):
    shown = {"title": "Go?", "message": "m" * 10_000, "context": None}
    asked = excerpts.asked(shown, [])
    assert (asked["terms"], len(asked["message"])) == ({}, 4_003)
    assert strictjson.loads(asked["payload"])["message"] == "m" * 10_000
    monkeypatch.setattr(digests, "MAX_BYTES", 1_000)
    with pytest.raises(StepError, match="What this approval shows has") as refused:
        excerpts.asked(shown, [])
    assert refused.value.error_class == "output_too_large"


@pytest.fixture
def approval(database, redis_url, config, world, superuser):
    """Give id and hash of an approval of 4.5 MB that the operator's agent asks for."""
    wp.switch_on()
    settings.change("notify_by_local_mail", True, by=world.admin.actor)
    agent = wp.make_agent(world.operator.id, STEPS, inputs=INPUTS)
    with wp.working(wp.config(database, redis_url, config.data)):
        execution = wp.start(agent, world.operator.id, text=PIECE)
        assert wp.wait_for(database, execution, {"waiting", "failed"})[0] == "waiting"
    return superuser.execute("SELECT id, payload_hash FROM approval").fetchone()


@pytest.mark.capability(310)
def test_people_look_at_the_start_and_decide_about_all_of_it(approval, browse, world, tmp_path):
    found, seen = approval
    url, approver = f"/approvals/{found}", browse(world.approver)
    page = approver.get(url).text
    assert len(page) < MOST_PAGE_BYTES
    assert "This is the start of what would happen" in page
    assert f'href="{url}/payload"' in page
    assert "the archive" in page
    assert len(approver.get(f"{url}.json").data) < MOST_PAGE_BYTES
    assert approver.get(f"{url}.json").json["payload_size_bytes"] > 4_500_000

    whole = approver.get(f"{url}/payload")
    assert whole.headers["Content-Length"] == str(len(whole.data))
    assert hashlib.sha256(whole.data).hexdigest() == seen
    for other in (world.viewer, world.stranger):
        assert browse(other).get(f"{url}/payload").status_code == 404

    relay(Channels(tmp_path, "http://pilot.test"))
    (mail,) = mails(tmp_path, world.approver.email)
    assert len(mail.as_bytes()) < MOST_PAGE_BYTES
    assert "the page has a file with all of it" in mail.get_body(("plain",)).get_content()

    assert approver.post(url, {"decision": "approve", "seen": seen}).status_code == 303
    assert approver.get(f"{url}.json").json["status"] == "approved"
