"""Mail over a connection: a real Dovecot keeps it, a real SMTP server takes it."""

import ssl
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller

from pilot import egress, plugins
from pilot.egress import client
from pilot.errors import ErrorClass, OutcomeUnknownError, PluginError, StepError
from pilot.plugins.mail import imap, remote_search
from tests.mail_peer import authenticate
from tests.servers import free_port

pytestmark = pytest.mark.imap
SEND = {"to": ["bob@x.test"], "subject": "Grüße", "text": "Hallo"}


def message(subject, sender="Bob <bob@x.test>", date="Fri, 20 Nov 2026 10:00:00 +0000", more=""):
    head = f"From: {sender}\r\nTo: ann@peer.test\r\nSubject: {subject}\r\nDate: {date}\r\n"
    return (head + (more or "\r\nThe body.\r\n")).encode()


def subjects(output):
    return [one["subject"] for one in output["messages"]]


FILE = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee it.\r\n"
    "--b\r\nContent-Type: application/pdf\r\n"
    'Content-Disposition: attachment; filename="a.pdf"\r\n\r\nx\r\n--b--\r\n'
)


def test_every_parameter_narrows_a_search(connected, imap_peer):
    imap_peer.put(
        message("Refund please", date="Mon, 16 Nov 2026 23:30:00 +0000"), flags="(\\Seen)"
    )
    imap_peer.put(message("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", sender="Eve <eve@y.test>"))
    imap_peer.put(message("With a file", more=FILE))
    imap_peer.put(message("Own", more="X-Pilot-Key: 1\r\n\r\n.\r\n"))
    imap_peer.put(message("Labelled"), flags="(to=20do)")
    expected = {
        (): ["Labelled", "With a file", "Grüße", "Refund please"],
        ("from", "EVE"): ["Grüße"],
        ("to", "nobody"): [],
        ("subject_words", ("grüße", "refund")): ["Grüße", "Refund please"],
        ("text_words", ("see",)): ["With a file"],
        ("since", "2026-11-17"): ["Labelled", "With a file", "Grüße", "Refund please"],
        ("before", "2026-11-17T00:00:00Z"): ["Refund please"],
        ("unread", False): ["Refund please"],
        ("has_attachment", True): ["With a file"],
        ("label", "To Do"): ["Labelled"],
        ("without_label", "to do"): ["With a file", "Grüße", "Refund please"],
        ("exclude_own", False): ["Labelled", "Own", "With a file", "Grüße", "Refund please"],
    }
    for given, found in expected.items():
        params = (
            {given[0]: list(given[1]) if isinstance(given[1], tuple) else given[1]} if given else {}
        )
        assert sorted(subjects(connected("search", params))) == sorted(found), given
    output = connected("search", {"limit": 1, "content": "full", "has_attachment": True})
    (one,) = output["messages"]
    assert (one["text"], one["attachments"][0]["name"], output["more"]) == (
        "See it.",
        "a.pdf",
        False,
    )
    assert connected("search", {"limit": 2})["more"] is True


def test_marks_and_labels_are_set_once_and_read_back(connected, imap_peer):
    imap_peer.put(message("One"))
    (one,) = connected("search", {})["messages"]
    ids = {"ids": [one["id"]]}
    assert connected("mark_read", ids) == {"changed": [one["id"]], "unchanged": []}
    assert connected("mark_read", ids) == {"changed": [], "unchanged": [one["id"]]}
    label = ids | {"label": "Zu tun ✓"}
    assert connected("add_label", label) == {"changed": [one["id"]], "unchanged": [], "moved": []}
    assert connected("add_label", label)["unchanged"] == [one["id"]]
    (now,) = connected("search", {"label": "zu tun ✓", "unread": False})["messages"]
    assert now["labels"] == ["Zu tun ✓"]
    assert connected("remove_label", label)["changed"] == [one["id"]]
    assert connected("search", {"label": "Zu tun ✓"})["messages"] == []


def test_a_label_that_the_server_drops_becomes_a_folder_and_says_so(
    connected, imap_peer, monkeypatch
):
    imap_peer.put(message("One"))
    (one,) = connected("search", {})["messages"]
    monkeypatch.setattr(
        imap.Session, "store", lambda *_, **__: None
    )  # it answers OK, keeps nothing
    output = connected("add_label", {"ids": [one["id"]], "label": "Später"})
    assert output["moved"] == [one["id"]]
    assert subjects(connected("search", {"mailbox": "Später"})) == ["One"]


def test_messages_move_once_into_a_mailbox_that_is_made(connected, imap_peer):
    imap_peer.put(message("One"))
    (one,) = connected("search", {})["messages"]
    params = {"ids": [one["id"]], "mailbox": "Erledigt & fertig ü"}
    assert connected("move", params)["changed"] == [one["id"]]
    assert connected("move", params)["unchanged"] == [one["id"]]
    assert subjects(connected("search", {"mailbox": params["mailbox"]})) == ["One"]


def _without_move(status, answer):
    return status, [answer[0].replace(b" MOVE", b"")]


@pytest.mark.parametrize("broken", ["COPY", "STORE", "EXPUNGE"])
def test_a_move_that_broke_off_is_finished_without_a_second_copy(
    connected, imap_peer, monkeypatch, broken
):
    """A server without MOVE has to copy and delete, and the connection breaks in between."""
    for _ in range(3):
        imap_peer.put(message("One"))
    ids = [one["id"] for one in connected("search", {})["messages"]]
    capability = imap._Client.capability
    monkeypatch.setattr(imap._Client, "capability", lambda self: _without_move(*capability(self)))
    do = imap.Session._do

    def breaking(self, command, *words):
        answer = do(self, command, *words)
        if command == broken and (command != "STORE" or "(\\Deleted)" in words):
            raise StepError(ErrorClass.NETWORK, "broke the connection")
        return answer

    params = {"ids": ids[:2], "mailbox": "Archive"}
    with monkeypatch.context() as patch:
        patch.setattr(imap.Session, "_do", breaking)
        with pytest.raises(PluginError, match="broke the connection"):
            connected("move", params)
    connected("move", params)
    assert len(connected("search", {})["messages"]) == 1
    moved = connected("search", {"mailbox": "Archive"})["messages"]
    assert [(one["subject"], one["labels"]) for one in moved] == [("One", [])] * 2
    assert connected("move", {"ids": ids[2:], "mailbox": "Archive"})["changed"] == ids[2:]
    assert len(connected("search", {"mailbox": "Archive"})["messages"]) == 3


def test_ids_of_another_mailbox_or_time_change_nothing(connected, imap_peer):
    imap_peer.put(message("One"))
    (one,) = connected("search", {})["messages"]
    for name in ("INBOX/1.1", "INBOX/x", "two", one["id"].replace("INBOX", "Nowhere")):
        with pytest.raises(PluginError) as caught:
            connected("mark_read", {"ids": [one["id"], name]})
        assert (caught.value.error_class, caught.value.sent) == (ErrorClass.NOT_FOUND, False)
    assert connected("search", {"mailbox": "INBOX"})["messages"][0]["unread"] is True


@pytest.mark.capability(26)
def test_a_mail_is_sent_with_copies_and_the_receipt_of_the_server(connected, smtp_peer):
    smtp_peer.answers["eve@x.test"] = "550 5.1.1 unknown"
    copies = {"cc": ["BOB@x.test", "cat@x.test"], "bcc": ["dan@x.test", "eve@x.test"]}
    output = connected("send", SEND | copies)
    (came,) = smtp_peer.mails
    assert output["accepted"] == came.receivers == ["bob@x.test", "cat@x.test", "dan@x.test"]
    assert [one["address"] for one in output["refused"]] == ["eve@x.test"]
    assert "550 5.1.1 unknown" in output["summary"]
    assert came.message["Message-ID"] == output["message_id"] == "<key-1@peer.test>"
    assert (came.message["Subject"], came.message["Bcc"]) == ("Grüße", None)
    assert b"dan@x.test" not in came.data


@pytest.mark.capability(155)
def test_a_wrong_password_says_what_to_do_at_both_servers(connected):
    for name, params in (("search", {}), ("send", SEND)):
        with pytest.raises(PluginError) as caught:
            connected(name, params, password="canary-wrong")
        assert caught.value.error_class is ErrorClass.AUTH
        assert "Give the connection its present user and password" in caught.value.message
        assert "canary" not in caught.value.message


def test_a_password_travels_only_inside_tls_that_proves_the_name(
    connected, imap_peer, smtp_peer, monkeypatch
):
    """Both ways of TLS, at both servers, against a certificate for localhost alone."""
    monkeypatch.setenv("SSL_CERT_FILE", str(imap_peer.chain))
    client._load_tls.cache_clear()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(imap_peer.chain)
    read = {"imap_host": "localhost", "imap_security": "starttls", "smtp_host": ""}
    try:
        assert connected("search", {}, **read) == {"messages": [], "more": False}
        with pytest.raises(PluginError, match=r"127\.0\.0\.1 is not safe by TLS"):
            connected("search", {}, **read | {"imap_host": "127.0.0.1"})
        for security in ("starttls", "tls"):
            at_once = security == "tls"
            with secured(smtp_peer, context, at_once=at_once) as port:
                server = {"smtp_host": "localhost", "smtp_security": security, "smtp_port": port}
                assert connected("send", SEND, **server)["accepted"] == ["bob@x.test"]
        assert len(smtp_peer.mails) == 2
    finally:
        monkeypatch.undo()
        client._load_tls.cache_clear()


@contextmanager
def secured(peer, context, *, at_once):
    """Run another listener of the mail server, inside TLS or with STARTTLS."""
    port = int(free_port())
    tls = {"ssl_context": context} if at_once else {"tls_context": context}
    facts = {"hostname": "127.0.0.1", "port": port, "authenticator": authenticate}
    controller = Controller(peer, **facts, **tls, auth_require_tls=not at_once)
    controller.start()
    yield port
    controller.stop()


def test_an_account_that_only_reads_or_only_sends_says_so(connected):
    for name, params, server in (("search", {}, "imap_host"), ("send", SEND, "smtp_host")):
        with pytest.raises(PluginError) as caught:
            connected(name, params, **{server: ""})
        assert caught.value.error_class is ErrorClass.CONFIG
        assert "The connection work" in caught.value.message


def test_a_mail_on_its_way_is_looked_up_where_the_server_files_it(
    connected, imap_peer, smtp_peer, monkeypatch
):
    monkeypatch.setattr(plugins, "perform", plugins.was_applied)  # what a recovery asks first
    assert connected("send", SEND, files_sent=True, sent_mailbox="INBOX") is None
    imap_peer.put(message("x", more="Message-ID: <key-1@peer.test>\r\n\r\n.\r\n"))
    found = connected("send", SEND, files_sent=True, sent_mailbox="INBOX")
    assert found["message_id"] == "<key-1@peer.test>"
    with pytest.raises(PluginError, match="does not say that its server files"):
        connected("send", SEND)


def test_a_break_while_the_server_takes_the_mail_leaves_it_open(connected, smtp_peer):
    smtp_peer.answers["data"] = "break"
    with pytest.raises(OutcomeUnknownError):
        connected("send", SEND)
    with pytest.raises(PluginError) as caught:
        connected("send", SEND, files_sent=True)
    assert (caught.value.sent, type(caught.value)) == (True, PluginError)


def test_a_name_of_a_mailbox_or_label_cannot_carry_a_command(connected, imap_peer):
    imap_peer.put(message("One"))
    for name in ('x"\r\nA1 DELETE INBOX', "a\0b", 'q" (\\Deleted)'):
        with pytest.raises(PluginError):
            connected("search", {"mailbox": name})
        connected("search", {"label": name, "from": name, "subject_words": [name]})
    assert subjects(connected("search", {})) == ["One"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("Gesendete Objekte", '"Gesendete Objekte"'), ("Entwürfe & a", '"Entw&APw-rfe &- a"')],
)
def test_names_of_mailboxes_are_written_as_imap_has_them(name, words):
    assert imap.encoded(name) == words


def test_dates_narrow_a_day_more_than_asked():
    params = remote_search.SearchMail.model_validate({"since": "2026-03-01T12:00:00"})
    assert "OR SENTSINCE 27-Feb-2026 SINCE 27-Feb-2026" in remote_search._criteria(params)


def test_the_newest_by_their_own_date_come_first_whatever_their_order_on_the_server(
    connected, imap_peer
):
    imap_peer.put(message("newest", date="Sat, 21 Nov 2026 10:00:00 +0000"))
    for number in range(60):
        imap_peer.put(message(f"old {number}", date="Thu, 20 Nov 2025 10:00:00 +0000"))
    for content in ("headers", "snippet"):
        output = connected("search", {"limit": 1, "content": content})
        assert (subjects(output), output["more"]) == (["newest"], True)


def test_large_mails_are_searched_a_few_at_a_time(connected, imap_peer, monkeypatch):
    """What the connection may carry at once counts for one answer, not for a mailbox."""
    monkeypatch.setattr(egress.Egress.connect, "__kwdefaults__", {"max_bytes": 3_000_000})
    monkeypatch.setattr(remote_search, "AT_ONCE_BYTES", 2_500_000)
    body = FILE.replace("\r\nx\r\n", f"\r\n{('x' * 70 + chr(13) + chr(10)) * 14_000}")
    for number in range(4):
        imap_peer.put(message(f"large {number}", more=body))
    imap_peer.put(message("small", date="Sat, 21 Nov 2026 10:00:00 +0000"))
    for params in ({}, {"content": "headers"}):
        found = connected("search", params)["messages"]
        assert [len(one["attachments"]) for one in found] == [0, 1, 1, 1, 1]
        assert found[1]["attachments"][0]["size"] > 1_000_000
        assert subjects(connected("search", params | {"limit": 1})) == ["small"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00"])
def test_limits_at_the_ends_of_the_calendar_narrow_like_any_other(place, day):
    place.put(message("One"))
    for name, hits in (("since", day < "2026"), ("before", day > "2026")):
        assert subjects(place.act("search", {name: day})) == ["One"] * hits


def test_the_case_of_a_label_does_not_matter_in_any_alphabet(place):
    place.put(message("One"))
    (one,) = place.act("search", {})["messages"]
    label = {"ids": [one["id"]], "label": "Überfällig"}
    assert place.act("add_label", label)["changed"] == [one["id"]]
    for other in ("überfällig", "ÜBERFÄLLIG"):
        assert place.act("add_label", label | {"label": other})["unchanged"] == [one["id"]]
        assert subjects(place.act("search", {"label": other})) == ["One"]
        assert subjects(place.act("search", {"without_label": other})) == []
    assert place.act("remove_label", label | {"label": "ÜBERFÄLLIG"})["changed"] == [one["id"]]
    assert place.act("search", {})["messages"][0]["labels"] == []


def test_a_message_that_is_named_twice_changes_once(place):
    place.put(message("One"))
    (one,) = place.act("search", {})["messages"]
    ids, both = [one["id"]], {"ids": [one["id"]] * 2}
    label = {"label": "x"}
    for name, more in (("mark_read", {}), ("add_label", label), ("remove_label", label)):
        done = place.act(name, both | more)
        assert (done["changed"], done["unchanged"]) == (ids, ids)
    assert place.act("move", both | {"mailbox": "Done"})["changed"] == ids


@pytest.mark.parametrize("label", ["x" * 60, "ü" * 20])
def test_a_label_that_is_too_long_for_the_server_says_so(connected, imap_peer, label):
    imap_peer.put(message("One"))
    (one,) = connected("search", {})["messages"]
    with pytest.raises(PluginError, match="Take a shorter label") as caught:
        connected("add_label", {"ids": [one["id"]], "label": label})
    assert caught.value.error_class is ErrorClass.INPUT
