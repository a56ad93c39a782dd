"""Links in approval mails: for one person and one approval, spent by the decision, never by GET."""

from datetime import timedelta
from uuid import uuid4

import pytest

from pilot import db
from pilot.engine import links
from pilot.engine.links import ApprovalLink
from tests.views.test_approvals import ask, worker  # noqa: F401  the fixtures


def give(person, approval_id, *, hours=1):
    token = uuid4().hex
    until = db.now() + timedelta(hours=hours)
    with db.transaction("test.link", None) as session:
        links.keep(session, ApprovalLink(approval_id, person.id, until, token))
    return token


def votes(superuser):
    return superuser.execute("SELECT approval_id, decision FROM vote").fetchall()


def decide(browser, approval_id, token, page=None):
    shown = browser.get(page or f"/approvals/links/{token}").text
    seen = shown.split('name="seen" type="hidden" value="')[1].split('"')[0]
    data = {"decision": "approve", "seen": seen, "link": token}
    return browser.post(f"/approvals/{approval_id}", data)


@pytest.mark.capability(23, 307)
def test_the_link_of_one_approval_decides_no_other(ask, browse, world, superuser):  # noqa: F811
    (one, _), (other, _) = ask(), ask()
    token, browser = give(world.approver, one), browse(world.approver)
    assert decide(browser, other, token, page=f"/approvals/{other}").status_code == 410
    assert votes(superuser) == []
    stored = superuser.execute("SELECT t::text FROM one_time_token t").fetchall()
    assert token not in str(stored)
    refused = "SELECT count(*) FROM audit WHERE event = 'APPROVAL_DECISION_REFUSED'"
    assert superuser.execute(refused).fetchone() == (1,)
    for _ in range(2):  # looking spends nothing
        assert f'value="{token}"' in browser.get(f"/approvals/links/{token}").text
    assert decide(browser, one, token).status_code == 303
    assert votes(superuser) == [(one, "approved")]
    assert browser.get(f"/approvals/links/{token}").status_code == 410


def test_a_link_is_for_its_person_who_signs_in_and_ends_with_the_approval(browse, world):
    token = give(world.approver, uuid4())
    anonymous = browse().get(f"/approvals/links/{token}")
    assert (anonymous.status_code, token in anonymous.location) == (303, True)
    assert browse(world.admin).get(f"/approvals/links/{token}").status_code == 404
    late = give(world.approver, uuid4(), hours=-1)
    assert browse(world.approver).get(f"/approvals/links/{late}").status_code == 410
    assert browse(world.approver).get("/approvals/links/é").status_code == 404
