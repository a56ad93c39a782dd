"""Mail handed to a real SMTP server: what travels, whose receipt counts, what a refusal means."""

import time

import pytest

from pilot.egress import Egress
from pilot.errors import ErrorClass, PluginError
from pilot.plugins.mail import faults, smtp
from pilot.plugins.mail.messages import compose, for_smtp

HEADERS = {"From": "Ann Büro <ann@peer.test>", "To": "bob@x.test", "Subject": "Grüße ✓"}


def send(peer, *receivers, data=None, **changes):
    connect = smtp.connecting(Egress([peer.allow]), time.monotonic() + 10)
    data = data or for_smtp(compose(HEADERS, "Zeile\n.\n..Ende €", ""))
    return smtp.send(connect, peer.server(**changes), receivers or ["bob@x.test"], data)


def refused(peer, **changes):
    with pytest.raises(PluginError) as caught:
        send(peer, **changes)
    return caught.value


@pytest.mark.capability(26)
def test_a_mail_arrives_as_it_was_written_in_seven_bits(smtp_peer):
    assert send(smtp_peer).accepted == ["bob@x.test"]
    (came,) = smtp_peer.mails
    assert (came.sender, came.receivers) == ("ann@peer.test", ["bob@x.test"])
    assert came.message["Subject"] == "Grüße ✓"
    assert came.message["From"].addresses[0].display_name == "Ann Büro"
    assert came.message.get_content().splitlines() == ["Zeile", ".", "..Ende €"]
    assert came.data.isascii()
    assert b"\n" not in came.data.replace(b"\r\n", b"")


@pytest.mark.capability(155)
@pytest.mark.parametrize(
    ("where", "answer", "error_class", "code"),
    [
        ("sender", "550 not you", ErrorClass.CONFIG, "sender"),
        ("sender", "451 greylisted", ErrorClass.SERVER, "busy"),
        ("bob@x.test", "550 no such user", ErrorClass.INPUT, "address"),
        ("bob@x.test", "421 too many", ErrorClass.SERVER, "busy"),
        ("data", "552 5.3.4 too big", ErrorClass.INPUT, "too_large"),
        ("data", "554 5.7.1 looks like spam\x1b[31m", ErrorClass.INPUT, "refused"),
        ("data", "451 4.3.0 later", ErrorClass.SERVER, "busy"),
    ],
)
def test_every_refusal_says_that_nothing_was_sent(smtp_peer, where, answer, error_class, code):
    smtp_peer.answers[where] = answer
    error = refused(smtp_peer)
    assert (error.error_class, error.remote_code, error.sent) == (error_class, code, False)
    assert answer[:12] in error.message
    assert error.message.isprintable()
    assert faults.SENTENCES[code]


@pytest.mark.capability(155)
def test_a_wrong_password_is_an_error_of_sign_in_and_is_not_repeated_in_it(smtp_peer):
    error = refused(smtp_peer, password="canary-wrong-2")
    assert (error.error_class, error.remote_code, error.sent) == (ErrorClass.AUTH, "auth", False)
    assert "535" in error.message
    assert "canary" not in error.message
    assert refused(smtp_peer, password="caf\N{SNOWMAN}").error_class is ErrorClass.AUTH


def test_only_the_receivers_that_the_server_took_count(smtp_peer):
    smtp_peer.answers["eve@x.test"] = "550 5.1.1 unknown"
    receipt = send(smtp_peer, "bob@x.test", "eve@x.test")
    assert receipt.accepted == ["bob@x.test"]
    assert receipt.refused == [("eve@x.test", "550 5.1.1 unknown")]


def test_a_connection_that_breaks_after_the_mail_leaves_it_open_whether_it_went(smtp_peer):
    smtp_peer.answers["data"] = "break"
    error = refused(smtp_peer)
    assert (error.error_class, error.sent) == (ErrorClass.NETWORK, True)
    assert len(smtp_peer.mails) == 1


def test_a_server_without_starttls_gets_no_password(smtp_peer):
    error = refused(smtp_peer, security="starttls")
    assert (error.error_class, error.remote_code, error.sent) == (ErrorClass.CONFIG, "tls", False)
    assert smtp_peer.sessions == 0
