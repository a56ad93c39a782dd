"""Mail on this machine: sent once, found again, kept apart by owner and address."""

import subprocess
import sys
import threading
from email import message_from_bytes
from email.policy import default

import pytest

from pilot.errors import ErrorClass, PluginError
from pilot.plugins.mail import maildir, searching

SEND = {"to": ["ann@example.com"], "subject": "Late tasks", "text": "There are two."}
KILLED_BEFORE_RENAME = """
import os, pathlib, signal, sys, time
from pilot.plugins.mail import maildir, searching
pathlib.Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
maildir.deliver(pathlib.Path(sys.argv[1]), "key-1.pilot", b"half", time.monotonic() + 9)
"""
SENDS = """
import pathlib, sys, time
from pilot.plugins.mail import maildir, searching
for number in range(40):
    maildir.deliver(pathlib.Path(sys.argv[1]), f"{number}.pilot", b"mail", time.monotonic() + 9)
"""
MULTIPART = b"""From: Shop <orders@shop.example>
To: Admin <admin@localhost>
Cc: bob@example.com
Subject: =?utf-8?q?Ihre_Bestellung_f=C3=BCr_M=C3=A4rz?=
Date: Fri, 20 Nov 2026 23:30:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=nonsense

<style>p{}</style><p>Parcel <b>4711</b></p><table><tr><td>a</td><td>b</td></tr></table>
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="invoice.pdf"
Content-Transfer-Encoding: base64

aGVsbG8=
--b--
"""


def put(tmp_path, name, data, box="admin@localhost/INBOX", part="new"):
    folder = tmp_path / "mail" / box / part
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def simple(subject="Hello", sender="bob@example.com", date="Fri, 20 Nov 2026 10:00:00 +0000"):
    return (
        f"From: {sender}\nTo: admin@localhost\nSubject: {subject}\nDate: {date}\n\nBody.\n".encode()
    )


def files(tmp_path, box):
    found = (tmp_path / "mail" / box).rglob("*")
    return sorted(path.name for path in found if path.parent.name in {"new", "cur"})


def read(tmp_path, box):
    (path,) = (tmp_path / "mail" / box / "new").iterdir()
    return message_from_bytes(path.read_bytes(), policy=default)


def refused(act, **changes):
    with pytest.raises(PluginError) as caught:
        act("mail.send", SEND | changes)
    return caught.value


def test_a_mail_reaches_every_local_address_and_is_filed_as_sent(act, tmp_path):
    copies = {"cc": ["bob@team.test"], "bcc": ["admin@localhost"]}
    output = act("mail.send", SEND | copies)
    assert output["accepted"] == ["ann@example.com", "bob@team.test", "admin@localhost"]
    assert output["message_id"] == "<key-1@localhost>"
    for address in output["accepted"]:
        mail = read(tmp_path, f"{address}/INBOX")
        assert (mail["Cc"], mail["Bcc"], mail["Message-ID"]) == (
            "bob@team.test",
            None,
            "<key-1@localhost>",
        )
    assert read(tmp_path, "Sent")["Bcc"] == "admin@localhost"


def test_addresses_that_are_not_on_this_machine_are_named_as_not_sent(act, tmp_path):
    output = act("mail.send", SEND | {"to": ["ann@example.com", "eve@corp.com"]})
    assert output["accepted"] == ["ann@example.com"]
    assert output["refused"] == [{"address": "eve@corp.com", "reason": "not sent: no mail account"}]
    assert output["summary"] == (
        "Sent to ann@example.com. Not sent to eve@corp.com: no mail account."
    )
    assert read(tmp_path, "Sent")["X-Pilot-Not-Sent"] == "no mail account: eve@corp.com"


def test_recipients_are_deduplicated_ignoring_case(act):
    copies = {"to": ["ann@example.com", "Ann <ANN@example.com>"], "cc": ["Ann@Example.com"]}
    assert act("mail.send", SEND | copies)["accepted"] == ["ann@example.com"]


def test_sending_again_with_the_same_key_changes_nothing(act, tmp_path):
    first = act("mail.send", SEND)
    assert act("mail.send", SEND) == first
    assert files(tmp_path, "ann@example.com/INBOX") == ["key-1.pilot"]
    assert files(tmp_path, "Sent") == ["key-1.pilot"]
    act("mail.send", SEND, key="key-2")
    assert files(tmp_path, "ann@example.com/INBOX") == ["key-1.pilot", "key-2.pilot"]


def test_a_mail_that_a_reader_has_moved_is_not_sent_again(act, tmp_path):
    act("mail.send", SEND)
    inbox = tmp_path / "mail/ann@example.com/INBOX"
    (inbox / "new/key-1.pilot").rename(inbox / "cur/key-1.pilot:2,RS")
    act("mail.send", SEND)
    assert files(tmp_path, "ann@example.com/INBOX") == ["key-1.pilot:2,RS"]


def test_a_sender_killed_before_the_rename_leaves_nothing_to_read(act, tmp_path):
    inbox = tmp_path / "mail/ann@example.com/INBOX"
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_RENAME, inbox], check=False)
    assert killed.returncode == -9
    assert files(tmp_path, "ann@example.com/INBOX") == []
    act("mail.send", SEND)
    assert read(tmp_path, "ann@example.com/INBOX")["Subject"] == "Late tasks"
    assert list((inbox / "tmp").iterdir()) == []


def test_two_processes_that_send_the_same_mails_deliver_each_once(tmp_path):
    inbox = tmp_path / "mail/ann@example.com/INBOX"
    senders = [subprocess.Popen([sys.executable, "-c", SENDS, inbox]) for _ in range(2)]
    for sender in senders:
        while sender.poll() is None:  # a reader moves what arrives, meanwhile
            for path in (inbox / "new").glob("*"):
                path.rename(inbox / "cur" / f"{path.name}:2,S")
    assert [sender.returncode for sender in senders] == [0, 0]
    names = [name.removesuffix(":2,S") for name in files(tmp_path, "ann@example.com/INBOX")]
    assert sorted(names) == sorted(f"{number}.pilot" for number in range(40))


@pytest.mark.capability(153)
def test_fifty_threads_send_one_mail_once(act, tmp_path):
    threads = [threading.Thread(target=act, args=("mail.send", SEND)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files(tmp_path, "ann@example.com/INBOX") == ["key-1.pilot"]


def test_a_mailbox_in_use_until_the_deadline_is_a_timeout(act, tmp_path):
    act("mail.send", SEND)
    box = tmp_path / "mail/ann@example.com/INBOX"
    with maildir.locked(box, 0), pytest.raises(PluginError) as caught:
        act("mail.send", SEND, key="key-2", seconds=0.1)
    assert (caught.value.error_class, caught.value.sent) == (ErrorClass.TIMEOUT, False)


def test_html_is_cleaned_and_gets_a_text_part(act, tmp_path):
    html = (
        "<h1>Tasks</h1><script>x()</script><table><tr><td onclick='y'>A</td><td>B</td></tr></table>"
    )
    act("mail.send", {"to": ["ann@example.com"], "subject": "Überblick: 表", "html": html})
    mail = read(tmp_path, "ann@example.com/INBOX")
    assert mail["Subject"] == "Überblick: 表"
    assert mail.get_body(("plain",)).get_content() == "Tasks\nA | B\n"
    shown = mail.get_body(("html",)).get_content()
    assert "<td>A</td>" in shown
    assert "script" not in shown


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b@c.com", "a@b.com, c@d.com", "a@b.com\r\nBcc: v@x.test", "a@-.test"],
)
def test_an_address_that_is_none_stops_the_mail_before_it_is_sent(act, tmp_path, address):
    error = refused(act, cc=[address])
    assert (error.error_class, error.sent) == (ErrorClass.INPUT, False)
    assert "Correct the address" in error.message
    assert not (tmp_path / "mail").exists()


@pytest.mark.parametrize("subject", ["a\r\nBcc: v@x.test", "a\x00", "a\u2028b", "\x1b[2J", " "])
def test_a_subject_with_control_characters_is_refused(act, subject):
    assert refused(act, subject=subject).error_class is ErrorClass.INPUT


def test_a_mail_without_a_body_is_refused(act):
    assert "need `text` or `html`" in refused(act, text=" ").message


def test_an_address_cannot_leave_the_mail_folder(act, tmp_path):
    act("mail.send", SEND | {"to": ["a/x/y@example.com"]})
    (folder,) = (tmp_path / "mail").glob("*@*")
    assert folder.name == "a%2Fx%2Fy@example.com"


def test_search_shows_headers_snippet_and_files(act, tmp_path):
    put(tmp_path, "one", MULTIPART)
    (found,) = act("mail.search", {})["messages"]
    assert found == {
        "id": "INBOX/one",
        "from": "Shop <orders@shop.example>",
        "to": ["admin@localhost"],
        "cc": ["bob@example.com"],
        "subject": "Ihre Bestellung für März",
        "date": "2026-11-20T23:30:00Z",
        "snippet": "Parcel 4711 a | b",
        "text": None,
        "unread": True,
        "labels": [],
        "attachments": [
            {"id": "1", "name": "invoice.pdf", "media_type": "application/pdf", "size": 5}
        ],
    }


@pytest.mark.parametrize(
    ("params", "is_found"),
    [
        ({"from": "SHOP"}, True),
        ({"from": "bob"}, False),
        ({"to": "bob@"}, True),
        ({"subject_words": ["märz", "nothing"]}, True),
        ({"subject_words": ["märz", "nothing"], "match": "all"}, False),
        ({"subject_words": ["nothing"], "text_words": ["4711"]}, True),
        ({"subject_words": ["bestellung"], "text_words": ["parcel"], "match": "all"}, True),
        ({"text_words": ["refund"]}, False),
        ({"since": "2026-11-21"}, True),  # half past midnight in Berlin
        ({"since": "2026-11-22"}, False),
        ({"before": "2026-11-21"}, False),
        ({"before": "2026-11-20T23:30:01Z"}, True),
        ({"unread": True}, True),
        ({"unread": False}, False),
        ({"has_attachment": True}, True),
        ({"has_attachment": False}, False),
        ({"label": "shopping"}, False),
        ({"without_label": "shopping"}, True),
        ({"mailbox": "inbox"}, True),
        ({"mailbox": "admin@localhost"}, True),
        ({"mailbox": "Sent"}, False),
    ],
)
def test_search_finds_by_every_parameter(act, tmp_path, params, is_found):
    put(tmp_path, "one", MULTIPART)
    assert bool(act("mail.search", params)["messages"]) is is_found


def test_search_gives_the_newest_and_says_that_there_are_more(act, tmp_path):
    for day in (11, 13, 12):
        date = f"Wed, {day} Nov 2026 10:00:00 +0000"
        put(tmp_path, f"m{day}", simple(f"Day {day}", date=date))
    output = act("mail.search", {"limit": 2, "content": "headers"})
    assert [one["subject"] for one in output["messages"]] == ["Day 13", "Day 12"]
    assert output["more"] is True
    assert output["messages"][0]["snippet"] is None


def test_search_reads_the_full_text_when_asked(act, tmp_path):
    put(tmp_path, "one", simple())
    assert act("mail.search", {"content": "full"})["messages"][0]["text"] == "Body."


def test_search_leaves_out_what_workflows_have_sent(act):
    act("mail.send", SEND | {"to": ["admin@localhost"]})
    assert act("mail.search", {})["messages"] == []
    assert len(act("mail.search", {"exclude_own": False})["messages"]) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"no header",
        b"From: \xff\nDate: never\nSubject: =?x?q?=?=\n\nx",
        b'From: "\nTo: .:\nCc: , .\\;\\\nSubject: \xff\xfe\n\nx',
        b"Content-Type: multipart/mixed; boundary=b\n\n--b--",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b\n\nx\n--b--",
    ],
)
def test_a_damaged_message_does_not_stop_the_search(act, tmp_path, data):
    put(tmp_path, "bad", data)
    put(tmp_path, "good", simple())
    found = act("mail.search", {"content": "full"})["messages"]
    assert {one["id"] for one in found} == {"INBOX/bad", "INBOX/good"}


def test_search_in_an_empty_or_unknown_mailbox(act):
    assert act("mail.search", {}) == {"messages": [], "more": False}
    with pytest.raises(PluginError, match="Present: INBOX, Sent"):
        act("mail.search", {"mailbox": "../../etc"})


def test_marking_as_read_moves_the_message_once(act, tmp_path):
    put(tmp_path, "one", simple())
    put(tmp_path, "two:2,FS", simple(), part="cur")
    ids = ["INBOX/one", "INBOX/two"]
    assert act("mail.mark_read", {"ids": ids}) == {"changed": ids[:1], "unchanged": ids[1:]}
    assert act("mail.mark_read", {"ids": ids}) == {"changed": [], "unchanged": ids}
    assert files(tmp_path, "admin@localhost/INBOX") == ["one:2,S", "two:2,FS"]


def test_labels_survive_and_are_found_in_any_case(act, tmp_path):
    put(tmp_path, "one", simple())
    params = {"ids": ["INBOX/one"], "label": "Shopping"}
    assert act("mail.add_label", params)["changed"] == ["INBOX/one"]
    assert act("mail.add_label", params)["unchanged"] == ["INBOX/one"]
    act("mail.mark_read", {"ids": ["INBOX/one"]})
    (found,) = act("mail.search", {"label": "shopping"})["messages"]
    assert found["labels"] == ["Shopping"]
    assert act("mail.remove_label", params | {"label": "SHOPPING"})["changed"] == ["INBOX/one"]
    assert act("mail.search", {"label": "shopping"})["messages"] == []


def test_an_unknown_message_stops_before_any_is_changed(act, tmp_path):
    put(tmp_path, "one", simple())
    with pytest.raises(PluginError) as caught:
        act("mail.mark_read", {"ids": ["INBOX/one", "INBOX/gone"]})
    assert caught.value.error_class is ErrorClass.NOT_FOUND
    assert files(tmp_path, "admin@localhost/INBOX") == ["one"]


def test_a_damaged_address_is_shown_as_it_stands(act, tmp_path):
    put(tmp_path, "one", b"From: .: <x\nDate: Fri, 20 Nov 2026 10:00:00 -0000\n\nx")
    (found,) = act("mail.search", {"from": ".: <X"})["messages"]
    assert (found["from"], found["date"]) == (".: <x", "2026-11-20T10:00:00Z")


def test_a_message_moved_during_the_search_is_read_in_its_new_place(act, tmp_path, monkeypatch):
    put(tmp_path, "one", simple())
    put(tmp_path, "two", simple())
    new = tmp_path / "mail/admin@localhost/INBOX/new"
    real = searching.Found.at

    def opening(path):
        if path.name == "one":
            (new / "one").rename(new.parent / "one:2,S")
            (new.parent / "cur").mkdir(exist_ok=True)
            (new.parent / "one:2,S").rename(new.parent / "cur/one:2,S")
        (new / "two").unlink(missing_ok=True)
        return real(path)

    monkeypatch.setattr(searching.Found, "at", opening)
    found = act("mail.search", {})["messages"]
    assert [one["id"] for one in found] == ["INBOX/one"]


def test_a_search_ends_at_the_deadline(make_call, tmp_path):
    put(tmp_path, "one", simple())
    box = tmp_path / "mail/admin@localhost/INBOX"
    with pytest.raises(PluginError) as caught:
        searching.newest(box, searching.SearchMail(), zone=make_call().zone, deadline=0)
    assert caught.value.error_class is ErrorClass.TIMEOUT


def test_hostile_html_in_a_mail_is_read_in_time(act, tmp_path):
    head = b"From: a@b.test\nContent-Type: text/html\n\n"
    put(tmp_path, "one", head + b"<a " * 100_000)
    assert act("mail.search", {"content": "full", "limit": 1}, seconds=5)["messages"]


def test_a_message_moves_with_its_labels_into_a_mailbox_that_is_made(act, tmp_path):
    put(tmp_path, "one", simple())
    act("mail.add_label", {"ids": ["INBOX/one"], "label": "Shopping"})
    params = {"ids": ["INBOX/one"], "mailbox": "Erledigt ü"}
    assert act("mail.move", params)["changed"] == ["INBOX/one"]
    assert act("mail.move", params)["unchanged"] == ["INBOX/one"]
    assert act("mail.search", {})["messages"] == []
    (found,) = act("mail.search", {"mailbox": "erledigt Ü"})["messages"]
    assert (found["subject"], found["labels"]) == ("Hello", ["Shopping"])


@pytest.mark.parametrize("mailbox", ["..", ".", "../..", "a/../../b"])
def test_no_mailbox_that_is_made_leaves_the_folder(act, tmp_path, mailbox):
    put(tmp_path, "one", simple())
    act("mail.move", {"ids": ["INBOX/one"], "mailbox": mailbox})
    (folder,) = (tmp_path / "mail/folders").iterdir()
    assert files(tmp_path, f"folders/{folder.name}") == ["one"]
