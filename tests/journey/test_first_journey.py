"""The first journey: a typed goal becomes mail, through an approval and a dead worker."""

import re
import signal
from email import message_from_bytes, policy

import pytest

from tests.engine import worker_process as wp

GOAL = (
    "Mail me the critical and high priority tasks of the Gantt sheet that end within the next "
    "three full days, soonest first. Say none if there are none. I want to approve the mail "
    "before it is sent."
)


def mails(config, owner):
    inbox = config.data / "users" / str(owner.id) / "mail" / owner.email / "INBOX" / "new"
    found = [
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in inbox.iterdir()
    ]
    return [mail for mail in found if "Priority" in mail["subject"]]


@pytest.mark.browser
@pytest.mark.capability(37, 41, 116, 165, 249, 264)
def test_a_goal_becomes_mail_once(window, world, worker_process, config, database, app):
    page = window(world.admin)
    page.goto("/")
    page.get_by_role("button", name="Load the demo").click()
    page.get_by_text("Demo loaded: 4 agents").wait_for()

    page.goto("/")
    first = worker_process()
    clicks = 0
    page.get_by_label("What shall be done?").fill(GOAL)
    for name in ("Draft workflow", "Save agent", "Start"):
        page.get_by_role("button", name=name, exact=True).click()
        clicks += 1
    page.locator("#execution .badge", has_text="Waiting").first.wait_for()
    assert clicks <= 4
    url = page.url

    first.send_signal(signal.SIGKILL)
    first.wait()
    page.get_by_role("link", name="Decide").click()
    assert "Critical" in page.locator(".mail-body").inner_text()
    assert mails(config, world.admin) == []
    worker_process()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Approved.").first.wait_for()

    page.goto(url)
    page.locator("#execution .badge", has_text="Completed").first.wait_for(timeout=20_000)
    page.get_by_text("5 of 5 steps done", exact=True).wait_for()
    attempts = wp.attempts(database, re.search(r"[0-9a-f-]{36}", url)[0])
    assert [one[1:3] for one in attempts] == [(1, "completed")] * 5
    (mail,) = mails(config, world.admin)
    assert mail["to"] == world.admin.email
    assert page.complaints == []


def test_the_same_journey_needs_no_script(browse, world, worker_process, config, database, app):
    admin = browse(world.admin)
    assert admin.post("/demo").status_code == 303
    worker_process()
    draft = admin.post("/agents/new", {"goal": GOAL}).location
    agent = admin.post(f"{draft}/save", {"name": "Plain"}).location
    fields = re.findall(r'name="(input-[a-z]+)"[^>]*value="([^"]*)"', admin.get(agent).text)
    sent = dict(fields) | {"input-to": world.admin.email}
    execution = admin.post(f"{agent}/start", sent).location
    wp.wait_for(database, execution.rpartition("/")[2], {"waiting"})
    approval = re.search(r'href="(/approvals/[0-9a-f-]+)"', admin.get(execution).text)[1]
    seen = re.search(r'name="seen"[^>]*value="(\w+)"', admin.get(approval).text)[1]
    assert admin.post(approval, {"decision": "approve", "seen": seen}).status_code == 303
    wp.wait_for(database, execution.rpartition("/")[2])
    assert "5 of 5 steps done" in admin.get(execution).text
    assert len(mails(config, world.admin)) == 1
