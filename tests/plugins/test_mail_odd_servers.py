"""Mail servers that answer what no mail server should: a named failure, never a fault of ours."""

import socketserver
import threading
from contextlib import contextmanager

import pytest

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Credentials
from pilot.plugins.mail.account import MailAccount

MAIL = b"Subject: One\r\n\r\nhi\r\n"
FACTS = b'UID 1 FLAGS () INTERNALDATE "20-Nov-2026 10:00:00 +0000" RFC822.SIZE 9'
FETCHED = b"* 1 FETCH (%b BODY[] {%d}\r\n%b)\r\n" % (FACTS, len(MAIL), MAIL)
SEEN = b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n"  # somebody else has just read it
LONG = b"9" * 5_000
USUAL = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
    b"AUTHENTICATE": b"+ \r\n",
    b"EXAMINE": b"* OK [UIDVALIDITY 7] x\r\n",
    b"SEARCH": b"* SEARCH 1\r\n",
    b"FETCH": FETCHED,
    b"LOGOUT": b"* BYE\r\n",
}


class Scripted(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"* OK hi\r\n")
        while words := self.rfile.readline().split():
            command = words[2] if words[1] == b"UID" else words[1]
            self.wfile.write((USUAL | self.server.answers).get(command, b""))
            if command == b"AUTHENTICATE":
                self.rfile.readline()
            self.wfile.write(words[0] + b" OK done\r\n")


class ScriptedPeer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Be quiet: a client that finds no protocol hangs up."""


@pytest.fixture
def mail(act):
    """Give `mail(action, params, COMMAND=answer)`: done at a server that answers so."""

    def mail(action="search", params=None, **answers):
        with answering({name.encode(): one for name, one in answers.items()}) as port:
            facts = {"smtp_host": "", "imap_host": "127.0.0.1", "imap_port": port}
            account = MailAccount(**facts, imap_security="none", user="ann")
            held = Credentials("work", account, "canary-password")
            allow = [f"127.0.0.1:{port}"]
            return act(f"mail.{action}", params or {}, allow=allow, credentials=held, seconds=2)

    return mail


@contextmanager
def answering(answers):
    with ScriptedPeer(("127.0.0.1", 0), Scripted) as peer:
        peer.answers = answers
        threading.Thread(target=peer.serve_forever, args=(0.01,), daemon=True).start()
        yield peer.server_address[1]
        peer.shutdown()


@pytest.mark.parametrize(
    "answers",
    [
        {"AUTHENTICATE": b"+ a\r\n"},
        {"EXAMINE": b"* OK [UIDVALIDITY abc] x\r\n"},
        {"EXAMINE": b"* OK [UIDVALIDITY %b] x\r\n" % LONG},
        {"SEARCH": b"* SEARCH 1 abc\r\n"},
        {"SEARCH": b"* SEARCH %b\r\n" % LONG},
        {"FETCH": b"* 1 FETCH (UID 1 BODY[] {%b}\r\n" % LONG},
    ],
)
def test_an_answer_that_is_no_mail_protocol_is_named(mail, answers):
    with pytest.raises(PluginError, match="its answer was not mail protocol") as caught:
        mail(**answers)
    assert caught.value.error_class is ErrorClass.NETWORK


@pytest.mark.parametrize("size", [b"3000000000", b"99999999999999", b"9" * 40])
def test_a_size_that_no_answer_may_have_is_refused_before_memory_is_taken(mail, size):
    with pytest.raises(PluginError) as caught:
        mail(FETCH=b"* 1 FETCH (UID 1 BODY[] {%b}\r\n" % size)
    assert caught.value.error_class is ErrorClass.OUTPUT_TOO_LARGE


@pytest.mark.parametrize("answer", [SEEN + FETCHED, FETCHED + SEEN])
@pytest.mark.parametrize("content", ["headers", "full"])
def test_flags_that_change_during_a_search_make_no_second_message(mail, answer, content):
    (found,) = mail("search", {"content": content}, FETCH=answer)["messages"]
    assert (found["subject"], found["date"]) == ("One", "2026-11-20T10:00:00Z")


def test_messages_that_were_not_asked_for_are_none(mail):
    for answer in (SEEN, FETCHED.replace(b"UID 1", b"UID 2"), FETCHED.replace(b"UID 1", b"UID 0")):
        assert mail(FETCH=answer)["messages"] == []


@pytest.mark.parametrize("date", [b"01-Jan-0001 00:00:00 +1400", b"31-Dec-9999 23:59:59 -1400"])
def test_a_date_at_an_end_of_the_calendar_is_none(mail, date):
    answer = FETCHED.replace(b"20-Nov-2026 10:00:00 +0000", date)
    (found,) = mail(FETCH=answer)["messages"]
    assert found["date"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("name", [f"INBOX/7.{'1' * 5_000}", "INBOX/7.\u0661", "INBOX/7.1\n", "7.1"])
def test_an_id_that_no_search_returns_names_no_message(mail, name):
    with pytest.raises(PluginError, match="names no message"):
        mail("mark_read", {"ids": [name]})
