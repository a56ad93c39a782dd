"""Approvals: approvers see exactly what would happen and decide it once; GET never decides."""

import re

import pytest

from pilot import db
from pilot.engine.life import executions
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.pages import LOOKS, check_accessible

TOTAL = "{{steps.text.output}}"
MAIL = {
    "to": ["ann@example.com", "bob@example.com"],
    "subject": "Report <script>alert(1)</script>",
    "html": "<table><tr><td>Row</td></tr></table><script>alert(2)</script>"
    '<h1>Report</h1><img src="https://spy.example/x.png"><span style="color:#fff">Hidden</span>',
}


def steps(rows=None, **ask):
    guarded = {"plugin": "mail", "action": "send", "params": MAIL | {"text": TOTAL}}
    if rows is not None:
        table = {"table": "log", "rows": rows}
        guarded = {"plugin": "tables", "action": "append_rows", "params": table}
    asked = {"id": "ask", "type": "human_approval", "title": "Send it?"}
    return [
        {"id": "text", "type": "transform", "operation": "set", "config": {"value": "Total 7"}},
        asked | {"approvers": ["role:approver"]} | ask,
        {
            "id": "send",
            "type": "action",
            "dependencies": ["ask"],
        }
        | guarded,
    ]


@pytest.fixture
def worker(database, redis_url, config):
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


@pytest.fixture
def ask(worker, database, world, superuser):
    """Give `ask(**fields)`: the ids of an approval that waits, and of its execution."""
    wp.switch_on()

    def ask(**fields):
        agent = wp.make_agent(world.operator.id, steps(**fields))
        execution = wp.start(agent, world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        query = "SELECT id FROM approval WHERE execution_id = %s"
        return superuser.execute(query, [execution]).fetchone()[0], execution

    return ask


@pytest.fixture
def approver(browse, world):
    return browse(world.approver)


def decide(browser, url, decision, **more):
    seen = re.search(r'name="seen"[^>]*value="(\w+)"', browser.get(url).text)
    data = {"decision": decision, "seen": seen[1] if seen else ""} | more
    return browser.post(url, data)


def test_the_page_shows_exactly_what_would_happen(ask, approver):
    approval, _ = ask()
    page = approver.get(f"/approvals/{approval}").text
    assert "ann@example.com, bob@example.com" in page
    assert "This would happen: " in page
    assert "Total 7" in page, "the approval waits for what the mail needs"
    assert "<td>Row</td>" in page
    assert "<script>alert" not in page
    body = re.search(r'<div class="mail-body".*?</div>', page, re.DOTALL)[0]
    assert '<p class="strong">Report</p>' in body
    assert "<span>Hidden</span>" in body
    assert "<img" not in body
    assert page.index("<dt>To</dt>") < page.index("<dt>Subject</dt>"), "as the action orders them"
    twin = approver.get(f"/approvals/{approval}.json").json
    assert twin["payload"]["steps"][0]["params"]["subject"] == MAIL["subject"]


FAKE = "~~Total 7~~\n\n# Total 1\n\n| Total |\n|---|\n| **1** |\n\n![1](http://evil.test/1.png)"


@pytest.mark.capability(307)
def test_markdown_that_fakes_another_amount_stays_text(ask, approver, superuser, database):
    approval, execution = ask(message=FAKE)
    page = approver.get(f"/approvals/{approval}").text
    for line in FAKE.split():
        assert line in page
    assert not re.search(r"<del>|<h\d[^>]*>Total|<t[dh][^>]*>Total|evil\.test/1\.png[\"']", page)
    assert "Total 7" in page.partition('<div class="mail-body"')[2], "what is sent is shown too"
    assert decide(approver, f"/approvals/{approval}", "approve", comment="Fine").status_code == 303
    wp.wait_for(database, execution)
    query = "SELECT count(DISTINCT payload_hash) FROM approval"
    assert superuser.execute(query).fetchone() == (1,)


@pytest.mark.capability(41)
def test_approved_it_goes_on_and_the_decision_stays(ask, approver, database):
    approval, execution = ask()
    answer = decide(approver, f"/approvals/{approval}", "approve", comment="Fine")
    assert answer.status_code == 303
    assert wp.wait_for(database, execution)[0] == "completed"
    assert "This was approved: " in approver.get(f"/approvals/{approval}").text
    page = approver.get(f"/approvals/{approval}").text
    assert "Fine" in page
    assert 'name="decision"' not in page
    assert approver.get("/approvals.json?tab=decided").json["total"] == 1


def test_a_comment_that_is_too_long_is_told_and_kept(ask, approver):
    approval, _ = ask()
    url, long = f"/approvals/{approval}", "a" * 4_001
    refused = decide(approver, url, "approve", comment=long)
    assert (refused.status_code, "has 4,001 characters" in refused.text) == (422, True)
    assert long in refused.text
    assert decide(approver, url, "approve", comment=long[1:]).status_code == 303
    assert long[1:] in approver.get(url).text


@pytest.mark.parametrize("comment", ["", " ", "\u200b", "\u2060\ufeff\xad", "\u3164", "\u2800"])
def test_a_comment_that_nobody_sees_is_none(ask, approver, comment):
    approval, _ = ask(require_comment="always")
    url = f"/approvals/{approval}"
    label = re.search(r'<label for="comment">(.*?)</label>', approver.get(url).text)[1]
    assert label.strip() == "Comment"
    refused = decide(approver, url, "approve", comment=comment)
    assert (refused.status_code, "a comment is required" in refused.text) == (422, True)
    assert decide(approver, url, "approve", comment="\u200b\U0001f44d").status_code == 303


@pytest.mark.capability(41)
def test_rejected_with_a_reason_it_fails_and_says_why(ask, approver, database):
    approval, execution = ask(require_comment="reject")
    url = f"/approvals/{approval}"
    refused = decide(approver, url, "reject", comment=" ")
    assert refused.status_code == 422
    assert "a comment is required" in refused.text
    assert decide(approver, url, "reject", comment="Wrong month").status_code == 303
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", "rejected")
    assert "Wrong month" in error["message"]


def test_pressed_twice_it_is_one_vote_and_the_same_answer(ask, approver, superuser):
    approval, _ = ask()
    url = f"/approvals/{approval}"
    seen = approver.get(f"{url}.json").json["payload_hash"]
    form = {"decision": "approve", "seen": seen, "request_id": "one"}
    assert [approver.post(url, form).status_code for _ in range(2)] == [303, 303]
    assert superuser.execute("SELECT count(*) FROM vote").fetchone() == (1,)
    again = approver.post(url, form | {"request_id": "two"})
    assert again.status_code == 409
    assert "It was approved already, by Approver" in again.text


def test_two_decisions_in_one_form_are_none(ask, approver, superuser):
    approval, _ = ask()
    answer = decide(approver, f"/approvals/{approval}", ["approve", "reject"])
    assert (answer.status_code, "Choose approve or reject." in answer.text) == (422, True)
    assert superuser.execute("SELECT count(*) FROM vote").fetchone() == (0,)


def test_another_payload_than_the_one_seen_is_refused(ask, approver):
    approval, _ = ask()
    url = f"/approvals/{approval}"
    answer = approver.post(url, {"decision": "approve", "seen": "0" * 64, "comment": "Right <b>"})
    assert answer.status_code == 409
    assert "is not what you saw" in answer.text
    assert "Right &lt;b&gt;</textarea>" in answer.text, "beside what would happen now"
    seen = re.search(r'name="seen"[^>]*value="(\w+)"', answer.text)[1]
    assert approver.post(url, {"decision": "approve", "seen": seen}).status_code == 303


def test_a_cancelled_one_is_gone(ask, approver, world):

    approval, execution = ask()
    url = f"/approvals/{approval}"
    seen = approver.get(f"{url}.json").json["payload_hash"]
    executions.cancel(execution, by=world.operator.actor, user_id=world.operator.id)
    assert approver.post(url, {"decision": "approve", "seen": seen}).status_code == 410


def test_the_owner_sees_but_does_not_decide_and_a_stranger_sees_nothing(ask, browse, world):
    approval, _ = ask()
    url = f"/approvals/{approval}"
    owner = browse(world.operator)
    assert "Others decide this" in owner.get(url).text
    assert owner.post(url, {"decision": "approve"}).status_code == 403
    for person in (world.stranger, world.viewer):
        assert browse(person).get(url).status_code == 404
        assert browse(person).post(url, {"decision": "approve"}).status_code == 404


def test_a_viewer_who_is_named_is_not_even_asked(ask, browse, world):
    approval, _ = ask(approvers=[f"user:{world.viewer.email}", "role:approver"])
    viewer = browse(world.viewer)
    assert viewer.get(f"/approvals/{approval}").status_code == 404
    assert viewer.post(f"/approvals/{approval}", {"decision": "approve"}).status_code == 404


def test_who_lost_the_right_sees_it_without_a_form(ask, approver, world, superuser):
    approval, _ = ask()
    superuser.execute("UPDATE app_user SET roles = '{viewer}' WHERE id = %s", [world.approver.id])
    url = f"/approvals/{approval}"
    page = approver.get(url).text
    assert 'name="decision"' not in page
    seen = approver.get(f"{url}.json").json["payload_hash"]
    assert approver.post(url, {"decision": "approve", "seen": seen}).status_code == 403


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "and with it the execution"),
        ({"on_error": "continue"}, "goes on with what it did not guard"),
        ({"on_error": {"branch": [steps()[0] | {"id": "tell"}]}}, "These steps run instead:"),
        ({"on_timeout": "approve"}, "It counts as approved: the above happens."),
        ({"rule": "all"}, "all of them have to approve"),
    ],
)
def test_what_follows_each_decision_is_said(ask, approver, fields, told):
    approval, _ = ask(**fields)
    page = approver.get(f"/approvals/{approval}").text
    assert told in page
    assert "1 of 1 needed, 0 given" in page


def test_rows_are_shown_as_a_table(ask, approver):
    approval, _ = ask(rows=[{"id": 1, "sum": "7,50"}, {"id": 2, "note": "<b>new</b>"}])
    page = approver.get(f"/approvals/{approval}").text
    for part in (">sum</th>", ">note</th>", "7,50", "&lt;b&gt;new&lt;/b&gt;", "2 rows"):
        assert part in page


def test_what_changed_since_is_asked_again_and_both_are_linked(ask, approver, superuser):
    approval, _ = ask()
    superuser.execute(
        "INSERT INTO approval (owner_id, execution_id, wait_id, path, title, payload, payload_hash,"
        " rule, needed, approver_ids, require_comment, on_timeout, expires_at) SELECT owner_id, "
        "execution_id, wait_id, path, title, payload, 'other', rule, needed, approver_ids, "
        "require_comment, on_timeout, expires_at FROM approval"
    )
    query = "SELECT id FROM approval WHERE payload_hash = 'other'"
    newer = superuser.execute(query).fetchone()[0]
    page = approver.get(f"/approvals/{approval}").text
    assert "It was asked again" in page
    assert f"/approvals/{newer}" in page
    assert f"/approvals/{approval}" in approver.get(f"/approvals/{newer}").text


def test_they_are_found_by_what_would_happen(ask, approver):
    ask()
    assert approver.get("/approvals.json?q=bob%40example.com").json["total"] == 1
    assert approver.get("/approvals.json?q=nobody").json["total"] == 0
    assert "Nothing matches" in approver.get("/approvals?q=nobody").text


def test_it_waits_in_the_list_the_header_and_the_overview(ask, approver, browse, world):
    ask()
    assert approver.get("/approvals.json").json["total"] == 1
    assert browse(world.operator).get("/approvals.json").json["total"] == 0
    assert browse(world.operator).get("/approvals.json?tab=all").json["total"] == 1
    page = approver.get("/").text
    assert 'class="top-count"' in page
    assert "Send it?" in page


@pytest.mark.capability(24)
def test_without_a_channel_the_page_warns_and_the_execution_waits(
    ask, approver, superuser, database
):
    approval, execution = ask()
    assert "Nobody was told outside Pilot" in approver.get(f"/approvals/{approval}").text
    query = "SELECT kind, about, sent_at FROM outbox ORDER BY due_at"
    assert superuser.execute(query).fetchone() == ("approval_requested", approval, None)
    assert wp.row(database, execution)[0] == "waiting"


def test_it_is_handed_to_another_person_on_its_page(ask, approver, browse, world):
    approval, _ = ask(allow_delegate=True)
    url = f"/approvals/{approval}"
    refused = approver.post(f"{url}/delegate", {"to": "nobody@example.com"})
    assert refused.status_code == 422
    assert 'value="nobody@example.com"' in refused.text
    assert "Nobody who may decide has this address" in refused.text
    assert approver.post(f"{url}/delegate", {"to": world.admin.email}).status_code == 303
    assert "Approver handed it to Admin" in approver.get(url).text
    page = browse(world.admin).get(url).text
    assert 'name="decision"' in page
    assert "Or let somebody else decide" not in page, "no chains"


def test_what_may_be_changed_is_a_field_that_keeps_what_was_typed(ask, approver):
    approval, _ = ask(editable=["send.subject", "send.to"])
    url = f"/approvals/{approval}"
    seen = approver.get(f"{url}.json").json["payload_hash"]
    places = {"place": ["send.subject", "send.to"], "seen": seen}
    refused = approver.post(f"{url}/change", places | {"value": ["New <b>", "[no json"]})
    assert refused.status_code == 422
    assert "This is no JSON" in refused.text
    assert "New &lt;b&gt;</textarea>" in refused.text
    refused = approver.post(f"{url}/change", places | {"value": ["New", "[7]"]})
    assert (refused.status_code, 'aria-invalid="true"' in refused.text) == (422, True)
    done = approver.post(f"{url}/change", places | {"value": ["New", '["cid@example.com"]']})
    assert done.status_code == 303
    shown = approver.get(f"{url}.json").json
    assert shown["payload_hash"] != seen
    assert shown["payload"]["steps"][0]["params"]["to"] == ["cid@example.com"]
    late = approver.post(f"{url}/change", places | {"value": ["Newer <b>", '["d@example.com"]']})
    assert (late.status_code, "Nothing was changed" in late.text) == (409, True)
    assert "Newer &lt;b&gt;</textarea>" in late.text
    kinds = [one["reminds"] for one in shown["notices"]]
    assert kinds == [False, True, True], "those of the round before are dropped"
    assert decide(approver, url, "approve").status_code == 303


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_are_accessible_and_quiet(ask, window, world, look):
    approval, _ = ask()
    width, scheme = look
    page = window(world.approver, viewport={"width": width, "height": 900}, color_scheme=scheme)
    table, _ = ask(rows=[{"id": 1, "sum": "7,50"}], on_error="continue")
    paths = ["/approvals", "/approvals?tab=decided", "/approvals?q=none"]
    for path in (*paths, f"/approvals/{approval}", f"/approvals/{table}"):
        page.goto(path)
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert page.complaints == []


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("rule", "voted"),
    [
        ({"rule": "all"}, False),
        ({"rule": "all"}, True),
        ({"rule": "quorum", "k": 2}, False),
        ({"rule": "any"}, None),
    ],
)
def test_one_that_too_few_may_still_give_says_so_and_what_to_do(
    ask, browse, world, superuser, rule, voted
):
    approval, execution = ask(approvers=["role:approver", "owner"], **rule)
    owner, url = browse(world.operator), f"/approvals/{approval}"
    if voted:
        decide(owner, url, "approve")
    assert owner.get(f"{url}.json").json["unmet"] is None
    superuser.execute("UPDATE app_user SET active = false WHERE id = %s", [world.approver.id])
    told = owner.get(f"{url}.json").json["unmet"]
    pages = owner.get(url).text, owner.get(f"/executions/{execution}").text
    if rule["rule"] == "any":
        assert told is None
        assert all("may not answer any more" not in page for page in pages)
        return
    assert told.startswith("2 approvals are needed, only 1 is possible, as Approver may not answer")
    said, _, until = told.rpartition(" on ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC\.", until)
    assert all(re.search(re.escape(said) + r" on \d+ \w+ \d{4}, \d\d:\d\d UTC", x) for x in pages)
    with db.reading(world.operator.id) as session:
        why = report.shown(session, execution).why
    assert why == f"ask: a decision that cannot come. {told}"
    superuser.execute("UPDATE app_user SET active = true WHERE id = %s", [world.approver.id])
    assert owner.get(f"{url}.json").json["unmet"] is None
