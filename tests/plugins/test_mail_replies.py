"""Answers and drafts, alike on this machine and at an account."""

import pytest

from pilot import plugins
from pilot.errors import ErrorClass, OutcomeUnknownError, PluginError
from tests.plugins.test_mail_files import PDF, store

LONG_ID = f"<{'a' * 120}@{'b' * 40}.test>"
DRAFT = {"to": ["bob@x.test"], "bcc": ["eve@x.test"], "subject": "Grüße", "text": "Dear Bob,"}


def come(place, me=None, **headers):
    """Let a message arrive and return its id."""
    facts = {
        "From": "Bob <bob@x.test>",
        "To": f"{me or place.me}, cat@x.test",
        "Cc": "CAT@x.test, Dan <dan@x.test>",
        "Subject": "Offer",
        "Message-ID": "<1@x.test>",
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in (facts | headers).items()]
    place.put("\r\n".join([*lines, "", "Hello."]).encode())
    (found,) = place.act("search", {"exclude_own": False})["messages"]
    return found["id"]


def answered(place, one, **params):
    output = place.act("reply", {"id": one, "text": "Thank you."} | params)
    (mail,) = place.sent()
    return output, mail


def test_an_answer_goes_to_the_sender_in_the_thread(place):
    output, mail = answered(place, come(place, References=f"<0@x.test>\r\n {LONG_ID}"))
    assert output["accepted"] == ["bob@x.test"]
    assert (mail["To"], mail["Cc"], mail["Subject"]) == ("bob@x.test", None, "Re: Offer")
    assert mail["In-Reply-To"] == "<1@x.test>"
    assert mail["References"].split() == ["<0@x.test>", LONG_ID, "<1@x.test>"]
    assert LONG_ID in dict(mail.raw_items())["References"]  # not as an encoded word
    assert mail["Message-ID"] == output["message_id"]


def test_an_answer_to_all_leaves_out_the_own_address_and_names_each_once(place):
    output, mail = answered(place, come(place, me=place.me.upper()), all=True)
    assert (mail["To"], mail["Cc"]) == ("bob@x.test", "cat@x.test, dan@x.test")
    assert output["accepted"] == ["bob@x.test", "cat@x.test", "dan@x.test"]


def test_the_address_for_answers_comes_before_the_sender(place):
    one = come(place, Reply_To="Desk <desk@x.test>", Subject="AW: Offer", **{"Message-ID": LONG_ID})
    _, mail = answered(place, one)
    assert (mail["To"], mail["Subject"]) == ("desk@x.test", "AW: Offer")
    assert mail["In-Reply-To"] == mail["References"] == LONG_ID


def test_an_answer_to_a_mail_of_ones_own_goes_on_to_whom_it_went(place):
    _, mail = answered(place, come(place, From=place.me))
    assert (mail["To"], mail["Cc"]) == ("cat@x.test", None)


def test_an_answer_takes_files(place, tmp_path):
    _, mail = answered(place, come(place), attachments=[store(tmp_path, PDF, "Größe.pdf")])
    (part,) = mail.iter_attachments()
    assert (part.get_filename(), part.get_payload(decode=True)) == ("Größe.pdf", PDF)


def test_addresses_of_a_message_that_are_none_are_named_as_not_sent(place):
    one = come(place, Cc="nobody, dan@x.test")
    output, mail = answered(place, one, all=True)
    assert mail["Cc"] == "cat@x.test, dan@x.test"
    assert [one["reason"] for one in output["refused"]] == [
        "not sent: the message names no valid address there"
    ] * len(output["refused"])
    assert output["refused"]
    assert "no valid address" in output["summary"]


@pytest.mark.capability(26)
@pytest.mark.parametrize(
    "headers",
    [
        {"Subject": "=?utf-8?q?x=0D=0ABcc:_eve@x.test?="},
        {"Message-ID": "<a\tb>\r\n <c@x>", "References": "=?utf-8?q?=0D=0ABcc:_eve@x.test?="},
        {"Reply_To": '"=?utf-8?q?x=0D=0ABcc:_eve@x.test?=" <desk@x.test>'},
    ],
)
def test_no_header_of_a_message_adds_one_to_its_answer(place, headers):
    output, mail = answered(place, come(place, **headers))
    assert mail["Bcc"] is None
    assert "eve@x.test" not in output["accepted"]
    assert set(mail.keys()) <= {
        *("From", "To", "Subject", "Message-ID", "X-Pilot-Key", "Date", "MIME-Version"),
        *("In-Reply-To", "References", "Content-Type", "Content-Transfer-Encoding"),
    }


def test_nobody_and_too_many_are_refused_before_anything_is_sent(place):
    many = ", ".join(f"p{n}@x.test" for n in range(21))
    one = come(place, Cc=many)
    for params, words in (({"all": True}, "would reach 23 people"), ({"text": " "}, "need `text`")):
        with pytest.raises(PluginError, match=words) as caught:
            answered(place, one, **params)
        assert (caught.value.error_class, caught.value.sent) == (ErrorClass.INPUT, False)
    assert place.sent() == []


@pytest.mark.parametrize("sender", ["", "undisclosed:;", "nobody"])
def test_a_message_that_names_nobody_cannot_be_answered(place, sender):
    one = come(place, From=sender, To="", Cc="")
    with pytest.raises(PluginError, match="names nobody to whom an answer could go"):
        answered(place, one)


def test_a_draft_is_kept_whole_and_nothing_is_sent(place, tmp_path):
    files = [store(tmp_path, PDF, "Größe.pdf", "application/pdf")]
    output = place.act("draft", DRAFT | {"attachments": files})
    assert place.sent() == []
    (found,) = place.act("search", {"mailbox": "Drafts", "exclude_own": False})["messages"]
    assert (found["id"], found["subject"], found["to"]) == (output["id"], "Grüße", ["bob@x.test"])
    assert found["attachments"][0]["name"] == "Größe.pdf"
    place.act("add_label", {"ids": [output["id"]], "label": "offer"})
    assert place.act("draft", {"subject": "No receiver", "text": "x"}, key="key-2")["id"] != output


@pytest.mark.capability(155)
def test_a_draft_is_looked_up_before_a_second_try(place, monkeypatch):
    with monkeypatch.context() as asking:
        asking.setattr(plugins, "perform", plugins.was_applied)  # what a recovery asks first
        assert place.act("draft", DRAFT) is None
    output = place.act("draft", DRAFT)
    with monkeypatch.context() as asking:
        asking.setattr(plugins, "perform", plugins.was_applied)
        assert place.act("draft", DRAFT) == output
        assert place.act("draft", DRAFT, key="key-2") is None
    found = place.act("search", {"mailbox": "Drafts", "exclude_own": False})["messages"]
    assert len(found) == 1


@pytest.mark.imap
def test_an_answer_on_its_way_is_looked_up_and_its_copy_tells_whom_it_reached(
    connected, imap_peer, smtp_peer, monkeypatch
):
    head = "From: bob@x.test\r\nTo: ann@peer.test\r\nSubject: Offer\r\n\r\nHello."
    imap_peer.put(head.encode())
    (found,) = connected("search", {})["messages"]
    params = {"id": found["id"], "text": "Thank you."}
    smtp_peer.answers["data"] = "break"  # the server took it, and nobody heard so
    with pytest.raises(OutcomeUnknownError):
        connected("reply", params)
    filing = {"files_sent": True, "sent_mailbox": "Gesendet"}
    imap_peer.put(smtp_peer.mails[0].data, "Gesendet")
    monkeypatch.setattr(plugins, "perform", plugins.was_applied)
    assert connected("reply", params, **filing)["accepted"] == ["bob@x.test"]
    assert connected("reply", params, key="key-2", **filing) is None


@pytest.mark.imap
def test_drafts_go_where_the_connection_says_marked_as_such(connected, imap_peer):
    output = connected("draft", DRAFT, drafts_mailbox="Entwürfe")
    client = imap_peer.client()
    client.select('"Entw&APw-rfe"')
    assert client.uid("SEARCH", "DRAFT")[1] == [output["id"].rpartition(".")[2].encode()]
    client.logout()
