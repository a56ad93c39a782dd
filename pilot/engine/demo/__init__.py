"""The demo data: small tables and a mailbox, dated around the day on which they are made."""

from datetime import date
from pathlib import Path

from pilot.engine.demo import mailbox, tables


def make_demo(folder: Path, today: date, owner_email: str) -> list[Path]:
    """Make the demo tables and mails in the owner's private folder; return the files made.

    Files that are there are kept as they are: they may be the owner's work by now.

    Args:
        folder: the owner's private folder; tables go to `tables`, mails to `mail`.
        today: the day, in the owner's zone, around which all dates lie.
        owner_email: whose inbox gets the mails.
    """
    made = tables.make(folder / "tables", today, mailbox.complaint_id())
    return made + mailbox.make(folder, today, owner_email)
