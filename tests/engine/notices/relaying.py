"""A question that people are told of, and a relay that tests run themselves."""

from email import message_from_bytes, policy

from pilot.engine.notices import outbox

URL = "http://pilot.test:8710"
ASK = {
    "id": "ask",
    "type": "human_approval",
    "title": "Pay <b>500</b>?",
    "message": "Invoice & reminder",
    "context": {"note": "<script>alert(1)</script>"},
    "approvers": ["role:approver", "role:admin"],
    "reminders": [],
}


def relay(channels):
    """Send what is due, one message after the other; returns how many were looked at."""
    count = 0
    while (row := outbox.take([])) is not None:
        outbox.send(row, channels)
        count += 1
    return count


def mails(folder, address):
    found = folder.glob(f"users/*/mail/{address}/INBOX/new/*")
    return [message_from_bytes(one.read_bytes(), policy=policy.default) for one in found]
