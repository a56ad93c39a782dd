"""What mail servers refuse: the class of each failure, and what to do about it."""

import binascii
import imaplib
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pilot.errors import ErrorClass, PluginError, StepError

LONGEST_REASON = 200
NAMED = 5  # receivers in one message
NO_PROTOCOL = "The mail server broke the connection, or its answer was not mail protocol."
SENTENCES = {
    "address": "Correct the address, or take it out of the list.",
    "auth": "Give the connection its present user and password, then retry the failed steps.",
    "busy": "The server asks to come back later: a retry helps, or a smaller rate.",
    "label": "Take a shorter label: many servers take 50 characters, and a letter beyond ASCII"
    " needs six of them.",
    "mailbox": "Create the mailbox on the server, or name another.",
    "protocol": "Check host and port of the connection: no mail server answers there.",
    "refused": "Ask who runs the mail server, or change the mail.",
    "sender": "Correct the sender of the connection: the server lets this user write as others.",
    "too_large": "Send less, or a link instead of the file.",
    "tls": "Use the security that the server offers: TLS at once, or STARTTLS.",
}
# The same faults of the server that takes Pilot's own mail: an administrator's, not a user's.
SYSTEM_SENTENCES = {
    "auth": "Correct user and password in PILOT_SMTP_URL and restart the workers.",
    "protocol": "Check host and port in PILOT_SMTP_URL.",
    "sender": "Correct `from` in PILOT_SMTP_URL.",
    "tls": "PILOT_SMTP_URL: smtps:// for TLS at once, smtp:// for STARTTLS.",
}


def said(code: int | str, answer: bytes) -> str:
    """Return what a server answered, cut, on one line."""
    text = "".join(
        part if part.isprintable() else " " for part in answer.decode("utf-8", "replace")
    )
    return f"{code} {' '.join(text.split())}"[:LONGEST_REASON].strip()


def of_smtp(code: int, answer: bytes, step: str) -> PluginError:
    """Return the error for a refusal. `step`: greeting, sign_in, sender, receivers, data.

    Nothing was sent, unless the answer cannot be read: then nobody knows. The codes are those of
    RFC 5321, 4.2, and RFC 4954, 6.
    """
    return _of_smtp(code, said(code, answer), step)


def of_receivers(answers: Sequence[tuple[str, int, bytes]]) -> PluginError:
    """Return the error for a mail that was refused for everybody: address, code, answer of each.

    It is tried again if one of them may be taken later.
    """
    later = [code for _, code, _ in answers if code < 500]
    words = [f"{one}: {said(code, answer)}" for one, code, answer in answers[:NAMED]]
    if len(answers) > NAMED:
        words.append(f"and {len(answers) - NAMED} more")
    return _of_smtp(later[0] if later else answers[0][1], "; ".join(words), "receivers")


def _of_smtp(code: int, words: str, step: str) -> PluginError:
    if not 400 <= code < 600:
        return PluginError(ErrorClass.NETWORK, NO_PROTOCOL, code="protocol")
    error_class, remote, what = ErrorClass.INPUT, "refused", "The mail server refused the mail"
    if code in {530, 534, 535, 538} or (step == "sign_in" and 500 <= code < 600):
        error_class, remote = ErrorClass.AUTH, "auth"
        what = "The mail server did not accept the user and password"
    elif 400 <= code < 500:
        error_class, remote, what = ErrorClass.SERVER, "busy", "The mail server is busy"
    elif code in {523, 552}:
        remote, what = "too_large", "The mail is too large for the server"
    elif step == "greeting":
        what = "The mail server refused the connection"
    elif step == "sender":
        error_class, remote = ErrorClass.CONFIG, "sender"
        what = "The mail server does not accept the sender"
    elif step == "receivers":
        remote, what = "address", "The mail server accepted no receiver"
    return PluginError(error_class, f"{what}: {words}.", code=remote, sent=False)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the clients of the standard library raise into errors that say what to do."""
    try:
        yield
    except smtplib.SMTPNotSupportedError as error:
        raise _not_offered(error) from None
    except (
        smtplib.SMTPException,
        imaplib.IMAP4.error,
        EOFError,
        UnicodeError,
        binascii.Error,  # of what a server asks while one signs in
    ) as error:
        raise PluginError(ErrorClass.NETWORK, NO_PROTOCOL, code="protocol") from error
    except PluginError:
        raise
    except StepError as error:  # of the wire
        raise PluginError(
            error.error_class, error.message, code=error.remote_code, sent=error.sent
        ) from None


def _not_offered(error: Exception) -> PluginError:
    text = f"The mail server does not offer what is needed: {error}"
    return PluginError(ErrorClass.CONFIG, text, code="tls", sent=False)


@contextmanager
def unsent() -> Iterator[None]:
    """Surround what comes before a mail leaves: its failures say that nothing was sent."""
    try:
        with explained():
            yield
    except PluginError as error:
        error.sent = False
        raise
