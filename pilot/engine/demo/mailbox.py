"""The demo mails in the owner's inbox: complaints, everyday mail, and one that is too old."""

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from email.message import EmailMessage
from pathlib import Path

from pilot.plugins.mail import addresses, maildir

TIME_LIMIT_S = 10

# Name of the file, days ago, sender, subject, text.
_MAILS: list[tuple[str, int, str, str, str]] = [
    (
        "demo-1",
        2,
        "Dora Finch <dora@customers.example>",
        "Refund for order 1017",
        "Hello, the kettle came broken and I want a refund. Dora",
    ),
    (
        "demo-2",
        1,
        "Eli Grant <eli@customers.example>",
        "The lamp is not working",
        "I bought your lamp on Monday. It is not working since yesterday. What can I do?",
    ),
    (
        "demo-3",
        3,
        "Fay Hunt <fay@customers.example>",
        "Complaint about the delivery",
        "Third delay in a row. Consider this a formal complaint.",
    ),
    (
        "demo-4",
        4,
        "Gus Irwin <gus@customers.example>",
        "Order 1044",
        "Frankly I am angry: nobody answers the phone. Please call me back today.",
    ),
    (
        "demo-5",
        1,
        "Newsletter <news@shop.example>",
        "Ten ideas for your garden",
        "Spring is coming. Here are ten ideas for a greener balcony.",
    ),
    (
        "demo-6",
        2,
        "Bob Stone <bob@example.com>",
        "Minutes of the project meeting",
        "We agreed to go live next week. Ann tests the payment page until then.",
    ),
    (
        "demo-7",
        12,
        "Hal Jung <hal@customers.example>",
        "Refund, please",
        "The chair does not fit. I would like a refund.",
    ),
    (
        "demo-8",
        1,
        "Ida King <ida@customers.example>",
        "Thank you",
        "The new kettle is great. Thank you for the quick help.",
    ),
]


def complaint_id() -> str:
    """Return the id, as a search gives it, of a complaint that the demo log knows already."""
    return f"INBOX/{_MAILS[0][0]}"


def make(folder: Path, today: date, owner_email: str) -> list[Path]:
    """Deliver the mails that are not there into the owner's inbox; return the new files."""
    box = folder / "mail" / addresses.folder_name(owner_email) / "INBOX"
    made: list[Path] = []
    for unique, age, sender, subject, text in _MAILS:
        sent = datetime.combine(today - timedelta(days=age), clock(8, 30), UTC)
        message = EmailMessage()
        message["From"] = sender
        message["To"] = owner_email
        message["Subject"] = subject
        message["Date"] = sent
        message["Message-ID"] = f"<{unique}@customers.example>"
        message.set_content(text)
        if maildir.deliver(box, unique, bytes(message), time.monotonic() + TIME_LIMIT_S):
            made.append(box / "new" / unique)
    return made
