"""The relay: who is asked gets one mail; failures are told, tried again, and stop nothing."""

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from pilot import db, settings, vault
from pilot.egress import Egress
from pilot.engine import links
from pilot.engine.approvals import approvals
from pilot.engine.notices import channels, letters, notices, outbox
from pilot.engine.notices.letters import Channels
from pilot.errors import InvalidError
from pilot.reports import approvals as report
from tests.engine import worker_process as wp
from tests.engine.notices.relaying import ASK, URL, mails, relay
from tests.security.attacks.cases import literals


@pytest.fixture
def channel(world):
    settings.change("notify_by_local_mail", True, by=world.admin.actor)


def rows(superuser, columns):
    query = f"SELECT {columns} FROM outbox ORDER BY payload ->> 'user_id'"  # noqa: S608 - constants
    return superuser.execute(query).fetchall()


def opened(html, person):
    """Return the approvals that the links of a mail open for a person."""
    tokens = re.findall(r'href="[^"]*/approvals/links/([\w-]{43})#', html)
    with db.reading(person.id) as session:
        return [links.approval_of(session, one, person.id) for one in tokens]


def due_again(superuser):
    superuser.execute("UPDATE outbox SET due_at = pilot_now()")


@pytest.mark.capability(23)
def test_each_person_gets_one_mail_with_two_links_and_nothing_acts_in_it(
    channel, asked, world, tmp_path, superuser
):
    assert relay(Channels(tmp_path, URL)) == 2
    for person in (world.approver, world.admin):
        (mail,) = mails(tmp_path, person.email)
        html = mail.get_body(("html",)).get_content()
        assert mail["Subject"] == "Approval asked: Pay <b>500</b>?"
        assert "Pay &lt;b&gt;500&lt;/b&gt;?" in html
        assert "Invoice &amp; reminder" in html
        assert "<script" not in html
        assert opened(html, person) == [asked[0]] * 2
        assert "Decide until" in mail.get_body(("plain",)).get_content()
    assert all(row[0] for row in rows(superuser, "sent_at"))


@pytest.mark.capability(24)
def test_a_mail_that_went_before_its_note_was_kept_is_not_sent_twice(
    channel, asked, world, tmp_path, superuser
):
    relay(Channels(tmp_path, URL))
    superuser.execute("UPDATE outbox SET sent_at = NULL, due_at = pilot_now()")
    assert relay(Channels(tmp_path, URL)) == 2
    assert len(mails(tmp_path, world.approver.email)) == 1
    assert relay(Channels(tmp_path, URL)) == 0


@pytest.mark.capability(24)
def test_without_a_channel_it_stays_and_goes_once_there_is_one(asked, world, tmp_path, superuser):
    assert relay(Channels(tmp_path, URL)) == 2
    assert rows(superuser, "error, attempts, sent_at") == [("No channel is set up.", 1, None)] * 2
    assert relay(Channels(tmp_path, URL)) == 0, "the next try is later"
    settings.change("notify_by_local_mail", True, by=world.admin.actor)
    due_again(superuser)
    relay(Channels(tmp_path, URL))
    assert len(mails(tmp_path, world.approver.email)) == 1


@pytest.mark.capability(236)
@pytest.mark.parametrize("asked", [{"reminders": [0.9, 0.5]}], indirect=True)
def test_who_has_not_voted_is_reminded_once_at_each_share_of_the_time(
    channel, asked, world, tmp_path, superuser
):
    query = """SELECT DISTINCT round(extract(epoch FROM o.due_at - a.requested_at)
                 / extract(epoch FROM a.expires_at - a.requested_at), 1)
                 FROM outbox o JOIN approval a ON a.id = o.about
                WHERE o.kind = 'approval_reminder' ORDER BY 1"""
    assert [float(one) for (one,) in superuser.execute(query)] == [0.5, 0.9]
    person = world.approver
    seen = {"comment": "", "seen_hash": asked[1], "by": person.actor, "user_id": person.id}
    superuser.execute("UPDATE approval SET rule = 'all', needed = 2")
    approvals.decide(asked[0], "approved", **seen)
    superuser.execute("UPDATE outbox SET due_at = pilot_now() WHERE kind = 'approval_reminder'")
    for _ in range(2):  # a relay that starts again finds nothing more to say
        relay(Channels(tmp_path, URL))
    subjects = sorted(mail["Subject"] for mail in mails(tmp_path, world.admin.email))
    assert (
        subjects
        == ["Approval asked: Pay <b>500</b>?"] + ["Reminder, approval asked: Pay <b>500</b>?"] * 2
    )
    told = "SELECT error FROM outbox WHERE kind = 'approval_reminder' AND dropped_at IS NOT NULL"
    assert superuser.execute(told).fetchall() == [("This person has voted.",)] * 2


def test_a_failing_channel_is_told_and_stops_no_other(channel, asked, world, tmp_path, superuser):
    superuser.execute(
        "UPDATE app_user SET email = 'boss@elsewhere.dev' WHERE id = %s", [world.admin.id]
    )
    relay(Channels(tmp_path, URL))
    failed = "SELECT error, attempts, due_at > pilot_now() + interval '4 s' FROM outbox WHERE {}"
    query = failed.format("sent_at IS NULL")
    error, attempts, later = superuser.execute(query).fetchone()
    assert "boss@elsewhere.dev has no mailbox on this machine" in error
    assert (attempts, later) == (1, True)
    assert len(mails(tmp_path, world.approver.email)) == 1
    query = "SELECT count(*) FROM audit WHERE event = 'NOTIFICATION_FAILED'"
    assert superuser.execute(query).fetchone() == (1,)


def test_after_a_day_it_is_given_up_and_audited(channel, asked, world, tmp_path, superuser):
    superuser.execute(
        "UPDATE app_user SET email = 'boss@elsewhere.dev' WHERE id = %s", [world.admin.id]
    )
    superuser.execute(
        "UPDATE outbox SET created_at = pilot_now() - interval '25 hours', attempts = 40"
    )
    relay(Channels(tmp_path, URL))
    assert sum(bool(row[0]) for row in rows(superuser, "dead_at")) == 1
    query = "SELECT record FROM audit WHERE event = 'NOTIFICATION_FAILED'"
    assert '"given_up":true' in superuser.execute(query).fetchone()[0]


def test_what_was_decided_meanwhile_is_not_sent(channel, asked, world, tmp_path, superuser):
    approvals.decide(
        asked[0],
        "approved",
        seen_hash=asked[1],
        by=world.approver.actor,
        user_id=world.approver.id,
    )
    relay(Channels(tmp_path, URL))
    assert mails(tmp_path, world.admin.email) == []
    assert all(row[0] for row in rows(superuser, "dropped_at"))


def test_what_is_being_sent_is_nobody_elses_until_any_sending_has_ended(asked, world, superuser):
    longest = max(channels.POST_S, letters.SMTP_S + letters.MAILBOX_S)
    first, second = outbox.take([]), outbox.take([])
    assert first.id != second.id
    assert outbox.take([]) is None
    ahead = "extract(epoch FROM due_at - pilot_now())"
    assert all(float(row[0]) > longest + 20 for row in rows(superuser, ahead))
    with db.reading(world.approver.id) as session:
        notices = report.shown(session, asked[0], world.approver.id).notices
    assert [one["status"] for one in notices] == ["queued"] * 2, "none has failed"


def test_who_took_too_long_changes_nothing_that_another_relay_sends_now(asked, tmp_path, superuser):
    slow = outbox.take([])
    due_again(superuser)
    taken = [outbox.take([]), outbox.take([])]
    outbox.send(slow, Channels(tmp_path, URL))
    assert rows(superuser, "error") == [(None,)] * 2
    assert sorted(row.attempts for row in taken) == [1, 2]
    assert outbox.take([]) is None


@pytest.mark.capability(236)
@pytest.mark.parametrize("asked", [{"reminders": [0.5]}], indirect=True)
def test_nobody_is_told_of_a_question_whose_time_has_run_out(channel, asked, tmp_path, superuser):
    due_again(superuser)
    superuser.execute("UPDATE approval SET expires_at = pilot_now()")
    assert relay(Channels(tmp_path, URL)) == 4
    told = superuser.execute("SELECT error, dropped_at IS NOT NULL FROM outbox").fetchall()
    assert told == [("It expired before it could be sent.", True)] * 4


@pytest.mark.capability(236)
@pytest.mark.parametrize("asked", [{"reminders": [0.5]}], indirect=True)
def test_many_relays_remind_each_person_once(asked, world, tmp_path, superuser, smtp_peer):
    due_again(superuser)
    server = over(smtp_peer, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(relay, [server] * 4)) == 4
    told = Counter((mail.receivers[0], mail.message["Subject"]) for mail in smtp_peer.mails)
    subjects = [
        f"{one}Pay <b>500</b>?" for one in ("Approval asked: ", "Reminder, approval asked: ")
    ]
    people = world.approver.email, world.admin.email
    assert told == Counter((person, subject) for person in people for subject in subjects)


@pytest.mark.parametrize(("tries", "seconds"), [(0, 5), (1, 10), (5, 160), (40, 3600)])
def test_each_try_waits_twice_as_long_up_to_an_hour(
    asked, set_clock, tmp_path, superuser, tries, seconds
):
    superuser.execute("UPDATE outbox SET attempts = %s, due_at = pilot_now()", [tries])
    relay(Channels(tmp_path, URL))
    assert rows(superuser, "extract(epoch FROM due_at - pilot_now())") == [(seconds,)] * 2


@pytest.mark.capability(24)
def test_a_worker_relays_by_itself_although_all_its_steps_hang(
    channel, database, redis_url, world, tmp_path, monkeypatch
):
    wp.switch_on()
    facts, let_go = wp.config(database, redis_url, tmp_path), threading.Event()
    with wp.working(facts) as resident:
        with monkeypatch.context() as patched:
            patched.setattr(outbox, "take", lambda _: None)  # nothing is sent before they hang
            execution = wp.start(wp.make_agent(world.operator.id, [ASK]), world.operator.id)
            wp.wait_for(database, execution, {"waiting"})
            for _ in range(facts.threads):
                resident._pool.submit(let_go.wait, wp.LONG_S)
        wp.until(lambda: mails(tmp_path, world.admin.email))
        assert len(mails(tmp_path, world.admin.email)) == 1
        let_go.set()


@pytest.fixture
def sealing():
    vault.configure([Fernet.generate_key().decode()])
    yield
    vault.configure([])


def over(peer, folder, sender="Pilot Büro <pilot@peer.test>", **changes):
    server = peer.server(sender=sender, **changes)
    return Channels(folder, URL, server, Egress([peer.allow]))


def reset_mail(person, link=f"{URL}/reset/canary-token", **changes):
    facts = {"to": person.email, "subject": "Reset", "text": "Hi <b>\n\nSee:"} | changes
    with db.transaction("test", person.id) as session:
        until = db.now() + timedelta(hours=1)
        return notices.queue(
            session, notices.Mail(link=link, **facts), owner_id=person.id, expires_at=until
        )


@pytest.mark.capability(23, 26)
def test_by_smtp_the_question_arrives_whole_and_escaped(
    asked, world, tmp_path, superuser, smtp_peer
):
    superuser.execute("UPDATE approval SET title = %s", ["Zahlen?\r\nBcc: victim@x.test <b>é"])
    assert relay(over(smtp_peer, tmp_path)) == 2
    came = {mail.receivers[0]: mail.message for mail in smtp_peer.mails}
    assert set(came) == {world.approver.email, world.admin.email}
    mail = came[world.approver.email]
    assert mail["Subject"] == "Approval asked: Zahlen? Bcc: victim@x.test <b>é"
    assert mail["Bcc"] is None
    assert mail["From"].addresses[0].display_name == "Pilot Büro"
    html = mail.get_body(("html",)).get_content()
    assert "&lt;b&gt;é" in html
    assert "<script" not in html
    assert opened(html, world.approver) == [asked[0]] * 2
    assert "Decide until" in mail.get_body(("plain",)).get_content()
    assert all(row[0] for row in rows(superuser, "sent_at"))


def test_a_server_that_refuses_is_told_with_what_to_do_and_tried_again(
    asked, tmp_path, superuser, smtp_peer
):
    relay(over(smtp_peer, tmp_path, password="canary-wrong"))
    (error, attempts, sent), _ = rows(superuser, "error, attempts, sent_at")
    assert "did not accept the user and password" in error
    assert "PILOT_SMTP_URL" in error
    assert (attempts, sent, "canary" in error) == (1, None, False)
    due_again(superuser)
    relay(over(smtp_peer, tmp_path))
    assert len(smtp_peer.mails) == 2


def test_a_mail_with_a_secret_link_is_sealed_until_it_went_and_emptied_then(
    world, sealing, tmp_path, superuser, smtp_peer
):
    reset_mail(world.viewer)
    (kept,) = superuser.execute("SELECT payload::text FROM outbox").fetchone()
    assert "canary" not in kept
    assert "Reset" not in kept
    assert relay(over(smtp_peer, tmp_path)) == 1
    (came,) = smtp_peer.mails
    assert came.receivers == [world.viewer.email]
    html = came.message.get_body(("html",)).get_content()
    assert f'href="{URL}/reset/canary-token"' in html
    assert "Hi &lt;b&gt;" in html
    assert superuser.execute("SELECT payload::text FROM outbox").fetchone() == ("{}",)


def test_a_mail_that_expired_or_whose_key_is_gone_is_dropped(
    world, sealing, tmp_path, superuser, smtp_peer
):
    reset_mail(world.viewer)
    reset_mail(world.admin)
    superuser.execute(
        "UPDATE outbox SET payload = jsonb_set(payload::jsonb, '{expires_at}', "
        "'\"2020-01-01T00:00:00Z\"')::json WHERE owner_id = %s",
        [world.admin.id],
    )
    vault.configure([Fernet.generate_key().decode()])
    relay(over(smtp_peer, tmp_path))
    found = superuser.execute("SELECT error, dropped_at IS NULL FROM outbox ORDER BY error")
    assert [(error[:9], kept) for error, kept in found] == [
        ("It expire", False),
        ("The secre", False),
    ]
    assert smtp_peer.mails == []


@pytest.mark.capability(26)
def test_no_text_becomes_a_header_of_a_mail(world, sealing, tmp_path, smtp_peer):
    texts = literals("crlf").values()
    for text in texts:
        if text.isprintable():  # such as percent signs: it stays what it is
            reset_mail(world.viewer, subject=text)
            continue
        for bad in ({"subject": text}, {"to": f"ann@x.test{text}"}):
            with pytest.raises(InvalidError):
                reset_mail(world.viewer, **bad)
    relay(over(smtp_peer, tmp_path))
    plain = {text for text in texts if text.isprintable()}
    assert {came.message["Subject"] for came in smtp_peer.mails} == plain != set()
