"""Mail handed to a real SMTP server: what travels, whose receipt counts, what a refusal means."""

import socketserver
import threading
import time
from contextlib import contextmanager

import pytest

from pilot.config import SmtpServer
from pilot.egress import Egress
from pilot.errors import ErrorClass, PluginError
from pilot.plugins.mail import faults, smtp
from pilot.plugins.mail.messages import compose, for_smtp

HEADERS = {"From": "Ann Büro <ann@peer.test>", "To": "bob@x.test", "Subject": "Grüße ✓"}


class Scripted(socketserver.StreamRequestHandler):
    """Answers each command as the test says, with None by breaking the connection."""

    def handle(self):
        said = {"greeting": "220 hi", "EHLO": "250-x\r\n250 AUTH PLAIN", "AUTH": "235 ok"}
        said |= {"DATA": "354 go", ".": "250 taken"} | self.server.answers
        line, in_mail = "greeting", False
        while line:
            word = line.rstrip("\r\n")
            answer = said.get(word, said.get(word.partition(" ")[0].upper(), "250 ok"))
            if answer is None:
                return
            self.server.mails += word == "."
            if not in_mail or word == ".":
                self.wfile.write(f"{answer}\r\n".encode())
            in_mail = word != "." and (in_mail or (word.upper(), answer[:3]) == ("DATA", "354"))
            line = self.rfile.readline().decode()


class ScriptedPeer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    mails = 0

    def handle_error(self, *_):
        """Be quiet: a client that finds no protocol hangs up."""

    @property
    def allow(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def server(self, sender="ann@peer.test"):
        port = self.server_address[1]
        return SmtpServer("127.0.0.1", port, "none", "ann@peer.test", "pw", sender)


@contextmanager
def scripted(**answers):
    with ScriptedPeer(("127.0.0.1", 0), Scripted) as peer:
        peer.answers = {{"dot": "."}.get(name, name): answer for name, answer in answers.items()}
        threading.Thread(target=peer.serve_forever, args=(0.01,), daemon=True).start()
        yield peer
        peer.shutdown()


def send(peer, *receivers, data=None, **changes):
    connect = smtp.connecting(Egress([peer.allow]), time.monotonic() + 10)
    data = data or for_smtp(compose(HEADERS, "Zeile\n.\n..Ende €", ""))
    return smtp.send(connect, peer.server(**changes), receivers or ["bob@x.test"], data)


def refused(peer, *receivers, **changes):
    with pytest.raises(PluginError) as caught:
        send(peer, *receivers, **changes)
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


@pytest.mark.parametrize("answer", ["250 ok", "251 ok", "252 perhaps", "250-two\r\n250 lines"])
def test_every_good_answer_to_the_end_of_a_mail_means_that_it_was_taken(answer):
    with scripted(dot=answer) as peer:
        assert send(peer).accepted == ["bob@x.test"]
        assert peer.mails == 1


@pytest.mark.parametrize("answer", ["", "hello world", "354 what", "1 x", "999 z", "250-a", None])
def test_an_answer_that_nobody_can_read_leaves_open_whether_the_mail_went(answer):
    """Else a mail that was taken would be sent once more."""
    with scripted(dot=answer) as peer:
        connect = smtp.connecting(Egress([peer.allow]), time.monotonic() + 1)
        with pytest.raises(PluginError) as caught:
            smtp.send(connect, peer.server(), ["bob@x.test"], b"Subject: a\r\n\r\nb\r\n")
        assert caught.value.error_class in {ErrorClass.NETWORK, ErrorClass.TIMEOUT}
        assert caught.value.sent is True


@pytest.mark.parametrize("ways", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_challenge_that_cannot_be_read_is_no_mail_protocol(ways):
    with scripted(EHLO=f"250-x\r\n250 AUTH {ways}", AUTH="334 a") as peer:
        error = refused(peer)
        assert (error.error_class, error.sent) == (ErrorClass.NETWORK, False)


@pytest.mark.parametrize("answer", [None, "hello", "250 ok", "421 bye"])
def test_a_mail_of_which_no_byte_was_asked_for_was_not_sent(answer):
    with scripted(DATA=answer) as peer:
        error = refused(peer)
        assert (error.error_class in {ErrorClass.NETWORK, ErrorClass.SERVER}, error.sent) == (
            True,
            False,
        )
        assert peer.mails == 0


@pytest.mark.capability(155)
@pytest.mark.parametrize(
    ("where", "answer", "error_class", "code"),
    [
        ("EHLO", "421 too many", ErrorClass.SERVER, "busy"),
        ("EHLO", "", ErrorClass.NETWORK, "protocol"),
        ("greeting", "421 too many", ErrorClass.SERVER, "busy"),
        ("greeting", "", ErrorClass.NETWORK, "protocol"),
        ("greeting", "SSH-2.0-x", ErrorClass.NETWORK, "protocol"),
        ("greeting", "554 not you", ErrorClass.INPUT, "refused"),
        ("RCPT", "hello", ErrorClass.NETWORK, "protocol"),
    ],
)
def test_a_server_that_turns_away_is_told_from_one_that_speaks_another_protocol(
    where, answer, error_class, code
):
    with scripted(**{where: answer}) as peer:
        error = refused(peer)
    assert (error.error_class, error.remote_code, error.sent) == (error_class, code, False)
    assert "-1" not in error.message


@pytest.mark.capability(155)
@pytest.mark.parametrize("answers", [("550 no", "450 wait"), ("450 wait", "550 no")])
def test_a_mail_that_nobody_gets_is_tried_again_if_one_may_get_it_later(smtp_peer, answers):
    smtp_peer.answers |= dict(zip(("bob@x.test", "eve@x.test"), answers, strict=True))
    error = refused(smtp_peer, "bob@x.test", "eve@x.test")
    assert (error.error_class, error.sent) == (ErrorClass.SERVER, False)
    assert f"bob@x.test: {answers[0]}; eve@x.test: {answers[1]}" in error.message
    smtp_peer.answers |= {f"{number}@x.test": "550 no" for number in range(9)}
    error = refused(smtp_peer, *(f"{number}@x.test" for number in range(9)))
    assert error.error_class is ErrorClass.INPUT
    assert "4@x.test: 550 no; and 4 more" in error.message


def test_a_receiver_who_may_be_reached_later_is_told_so_beside_one_who_was(smtp_peer):
    smtp_peer.answers["eve@x.test"] = "450 4.2.0 greylisted"
    ((_, reason),) = send(smtp_peer, "bob@x.test", "eve@x.test").refused
    assert reason == "450 4.2.0 greylisted (it may be taken later: send it there again)"
