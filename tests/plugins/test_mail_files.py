"""Files in mail, alike on this machine and at an account: found, handed on, sent."""

import hashlib
import io
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from pilot import plugins
from pilot.errors import ErrorClass, PluginError
from pilot.plugins import File, Files

PDF = b"%PDF-1.7\r\n\x00\xff invoice"
NAME = "Rechnung für März, \u201e表\u201c.pdf"
LONG = "Größe " * 25 + "表.csv"
SEND = {"to": ["bob@x.test"], "subject": "Invoices", "text": "See the files."}


def with_files(*files, subject="Files", **headers):
    message = EmailMessage(policy=SMTP)
    facts = {"From": "Bob <bob@x.test>", "To": "admin@localhost", "Subject": subject}
    for name, value in (facts | headers).items():
        message[name] = value
    message.set_content("See it.")
    for name, media_type, data in files:
        kind, _, subtype = media_type.partition("/")
        message.add_attachment(data, maintype=kind, subtype=subtype, filename=name)
    return message.as_bytes()


def store(tmp_path, data, name="a.txt", media_type="text/plain"):
    return Files(tmp_path).save(io.BytesIO(data), name, media_type).model_dump()


def refused(place, name, params):
    with pytest.raises(PluginError) as caught:
        place.act(name, params)
    assert caught.value.sent is False
    return caught.value


@pytest.mark.parametrize("content", ["headers", "snippet"])
def test_files_of_a_message_are_told_and_handed_on_as_they_came(place, tmp_path, content):
    place.put(with_files((NAME, "application/pdf", PDF), (LONG, "text/csv", b"a,b\n")))
    (found,) = place.act("search", {"content": content})["messages"]
    assert found["attachments"] == [
        {"id": "1", "name": NAME, "media_type": "application/pdf", "size": len(PDF)},
        {"id": "2", "name": LONG, "media_type": "text/csv", "size": 4},
    ]
    params = {"id": found["id"], "attachment": "1"}
    handle = place.act("get_attachment", params)
    digest = hashlib.sha256(PDF).hexdigest()
    size = len(PDF)
    assert handle == {"file": digest, "name": NAME, "media_type": "application/pdf", "size": size}
    with Files(tmp_path).open(File(**handle)) as stream:
        assert stream.read() == PDF
    assert place.act("get_attachment", params) == handle
    assert place.act("search", {})["messages"][0]["unread"] is True


def test_no_such_message_or_attachment_is_not_found(place):
    place.put(with_files((NAME, "application/pdf", PDF)))
    (found,) = place.act("search", {})["messages"]
    for one, number in ((found["id"], "2"), (found["id"], "0"), ("INBOX/9.9", "1")):
        error = refused(place, "get_attachment", {"id": one, "attachment": number})
        assert error.error_class is ErrorClass.NOT_FOUND
    error = refused(place, "get_attachment", {"id": found["id"], "attachment": "x"})
    assert "has no attachment 'x'; it has 1" in error.message


def test_a_mail_that_is_one_file_or_holds_a_mail_has_files_too(place):
    head = b"From: scan@x.test\r\nTo: a@x.test\r\nSubject: Scan\r\nMIME-Version: 1.0\r\n"
    alone = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    place.put(head + alone)
    outer = EmailMessage(policy=SMTP)
    outer["Subject"], outer["From"] = "Forward", "bob@x.test"
    outer.set_content("x")
    inner = EmailMessage(policy=SMTP)
    inner["Subject"] = "Inside"
    inner.set_content("y")
    outer.add_attachment(inner)
    place.put(outer.as_bytes())
    for subject, kind, part in (
        ("Scan", "image/png", b"hello"),
        ("Forward", "message/rfc822", b"Inside"),
    ):
        (found,) = place.act("search", {"subject_words": [subject]})["messages"]
        assert [one["media_type"] for one in found["attachments"]] == [kind]
        assert found["attachments"][0]["size"] >= len(part)
        handle = place.act("get_attachment", {"id": found["id"], "attachment": "1"})
        assert (handle["name"], handle["media_type"]) == ("attachment 1", kind)


@pytest.mark.capability(26)
def test_files_are_sent_whole_under_their_names(place, tmp_path):
    files = [
        store(tmp_path, PDF, NAME, "application/pdf"),
        store(tmp_path, "Zeile\r\n.\r\nü €".encode(), LONG, "text/csv"),
        store(tmp_path, b"", 'a "quoted"; name.txt'),
        store(tmp_path, b"From: x\r\n\r\ny", "old.eml", "message/rfc822"),
    ]
    place.act("send", SEND | {"attachments": files, "html": "<b>See</b>"})
    (mail,) = place.sent()
    came = [(one.get_filename(), one.get_payload(decode=True)) for one in mail.iter_attachments()]
    assert came == [
        (NAME, PDF),
        (LONG, "Zeile\r\n.\r\nü €".encode()),
        ('a "quoted"; name.txt', b""),
        ("old.eml", b"From: x\r\n\r\ny"),
    ]
    kinds = [one.get_content_type() for one in mail.iter_attachments()]
    assert kinds == ["application/pdf", "text/csv", "text/plain", "application/octet-stream"]
    assert mail.get_body(("plain",)).get_content().strip() == "See the files."
    assert "<b>See</b>" in mail.get_body(("html",)).get_content()
    assert b"filename*0*=utf-8''" in mail.as_bytes()  # RFC 2231
    assert all(len(line) < 998 for line in mail.as_bytes().splitlines())


def test_what_a_search_found_goes_on_by_its_handle_alone(place):
    place.put(with_files((NAME, "application/pdf", PDF)))
    (found,) = place.act("search", {})["messages"]
    handle = place.act("get_attachment", {"id": found["id"], "attachment": "1"})
    place.act("send", SEND | {"attachments": [handle]})
    (part,) = place.sent()[0].iter_attachments()
    assert part.get_payload(decode=True) == PDF


def test_more_than_25_mb_together_are_refused_before_a_file_is_read(place, tmp_path):
    half = store(tmp_path, bytes(100)) | {"size": 12_600_000}  # no such size: reading would say so
    error = refused(place, "send", SEND | {"attachments": [half, half]})
    assert (error.error_class, error.remote_code) == (ErrorClass.INPUT, "too_large")
    assert "25.2 MB together; 25 MB is the most" in error.message
    assert "a link instead of the file" in error.message
    assert place.sent() == []


@pytest.mark.parametrize("changes", [{"file": "0" * 64}, {"file": "../a"}, {"size": 3}])
def test_a_file_that_is_not_there_stops_the_mail(place, tmp_path, changes):
    handle = store(tmp_path, b"ab") | changes
    error = refused(place, "send", SEND | {"attachments": [handle]})
    assert error.error_class is ErrorClass.NOT_FOUND
    assert place.sent() == []


def test_the_shape_of_a_handle_in_a_workflow_is_checked():
    action = plugins.load("mail").actions["send"]
    good = {"file": "0" * 64, "name": "a.pdf", "media_type": "application/pdf", "size": 3}
    assert action.check(SEND | {"attachments": [good]}) == []
    for changes in (
        {"size": 50_000_001},
        {"size": -1},
        {"name": "a/b"},
        {"media_type": "pdf"},
        {"path": "/etc"},
    ):
        (issue,) = action.check(SEND | {"attachments": [good | changes]})
        assert issue.path == f"/attachments/0/{next(iter(changes))}"
