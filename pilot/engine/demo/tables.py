"""The demo tables: a project plan, leads, contracts, and a log for urgent mails."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

Row = Sequence[Any]

# Task, owner, priority, days to start, days to end (None: not planned yet), status.
_TASKS: list[tuple[str, str, str, int, int | None, str]] = [
    ("Write the project brief", "Ann Lee", "Medium", -40, -31, "Done"),
    ("Agree on the budget", "Bob Stone", "Critical", -35, -20, "Done"),
    ("Choose the suppliers", "Cy Marsh", "High", -28, -6, "Done"),
    ("Order the servers", "Bob Stone", "High", -20, -1, "In progress"),
    ("Draft the data model", "Ann Lee", "Critical", -14, 0, "In progress"),
    ("Migrate the customer data", "Dee Fox", "Critical", -9, 1, "In progress"),
    ("Translate the user guide", "Cy Marsh", "Low", -8, 1, "In progress"),
    ("Test the payment page", "Ann Lee", "High", -5, 2, "In progress"),
    ("", "", "High", -5, 2, ""),
    ("Clean up the test data", "Dee Fox", "Medium", -3, 2, "Not started"),
    ("Train the support team", "Cy Marsh", "High", -2, 3, "Not started"),
    ("Approve the go-live plan", "Bob Stone", "Critical", -1, 3, "Not started"),
    ("Plan the office party", "Dee Fox", "Low", -1, 3, "Not started"),
    ("Switch on the monitoring", "Ann Lee", "High", 0, 4, "Not started"),
    ("Announce the launch", "Cy Marsh", "Critical", 2, 5, "Not started"),
    ("", "", "Medium", 3, 6, ""),
    ("Go live", "Bob Stone", "Critical", 5, 7, "Not started"),
    ("Collect first feedback", "Dee Fox", "Medium", 8, 14, "Not started"),
    ("Fix what users report", "Ann Lee", "High", 8, 21, "Blocked"),
    ("Close the project", "Bob Stone", "Low", 25, 30, "Not started"),
    ("Plan the next release", "Ann Lee", "High", 20, None, "Not started"),
]

# Client, company, source, salesperson, stage (as people typed it), value, note, days since.
_LEADS: list[tuple[str, str, str, str, str | int, int, str, int]] = [
    ("Ada Bright", "Bright Bakery", "Web", "Sam Poole", 1, 1200, "Asked for a price list.", 3),
    ("Ben Cole", "Cole Cycles", "Referral", "Kim Ortiz", 4, 8400, "Wants a start in spring.", 41),
    ("Cara Dunn", "Dunn Dental", "Trade fair", "Sam Poole", "4", 15250, "Contract is sent.", 38),
    ("Dan Ewing", "Ewing Events", "Web", "Lou Hart", 2, 3100, "Call back next week.", 20),
    (
        "Eve Frost",
        "Frost Foods",
        "Web",
        "Kim Ortiz",
        "3",
        22000,
        "Compares us with two others.",
        33,
    ),
    ("Finn Gray", "Gray Garden", "Referral", "Lou Hart", 4, 560, "Small, but decides fast.", 25),
    ("Gina Hall", "Hall Hotels", "Trade fair", "Kim Ortiz", 5, 48000, "Signed.", 60),
    (
        "Hugo Ives",
        "Ives Insurance",
        "Phone call",
        "Sam Poole",
        "4",
        30500,
        "Legal has questions.",
        29,
    ),
    ("Iris Jones", "Jones Joinery", "Web", "Lou Hart", "1", 900, "", 2),
    ("Jack Kerr", "Kerr Kitchens", "Referral", "Sam Poole", 6, 7000, "Chose someone else.", 75),
    (
        "Kate Lamb",
        "Lamb Logistics",
        "Trade fair",
        "Kim Ortiz",
        4,
        19900,
        "Needs two languages.",
        18,
    ),
    ("Liam Moss", "Moss Media", "Phone call", "Lou Hart", "2", 4300, "Sent the brochure.", 9),
    ("Mona Nash", "Nash Nursery", "Web", "Sam Poole", 3, 2750, "Meeting on site is planned.", 14),
    ("Ned Oaks", "Oaks Optics", "Web", "Kim Ortiz", "14", 100, "Stage was mistyped?", 50),
    ("Cara Dunn", "Dunn Dental", "Web", "Lou Hart", 4, 2600, "Second branch, same owner.", 6),
]

# Contract, client, owner, days since start, days to end, status, value.
_CONTRACTS: list[tuple[str, str, str, int, int | None, str, int]] = [
    ("C-101", "Bright Bakery", "Ann Lee", 700, 4, "Active", 4200),
    ("C-102", "Cole Cycles", "Bob Stone", 365, 10, "Active", 12500),
    ("C-103", "Dunn Dental", "Ann Lee", 360, 5, "Terminated", 3900),
    ("C-104", "Ewing Events", "Cy Marsh", 300, 11, "Active", 8000),
    ("C-105", "Frost Foods", "Bob Stone", 731, 0, "Active", 15400),
    ("C-106", "Gray Garden", "Cy Marsh", 500, -3, "Expired", 2100),
    ("C-107", "Hall Hotels", "Ann Lee", 90, 275, "Active", 52000),
    ("C-108", "Ives Insurance", "Bob Stone", 200, 28, "Active", 9900),
    ("C-109", "Jones Joinery", "Cy Marsh", 120, None, "Active", 1800),
    ("C-110", "Kerr Kitchens", "Ann Lee", 400, -40, "Expired", 6100),
    ("C-111", "Lamb Logistics", "Bob Stone", 355, 9, "Active", 23750),
    ("C-112", "Moss Media", "Cy Marsh", 30, 335, "Active", 7300),
]
_LONG_AGO = "31/01/2024"  # a day above 12 says that days come before months


def make(folder: Path, today: date, known_id: str) -> list[Path]:
    """Make the tables that are not there; `known_id` stands in the log of urgent mails."""
    contents: dict[str, Callable[[], bytes]] = {
        "Gantt.xlsx": lambda: _workbook({"Project plan": _plan(today), "Team": _TEAM}),
        "Leads.xlsx": lambda: _workbook({"Leads": _leads(today)}),
        "Support.xlsx": lambda: _workbook({"UrgentEmails": _log(today, known_id)}),
        "contracts.csv": lambda: _text(_contracts(today)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for name, content in contents.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(content())
            made.append(folder / name)
    return made


def _plan(today: date) -> list[Row]:
    header = ("Task", "Owner", "Priority", "Start date", "End date", "Status")
    return [
        header,
        *((*task[:3], _day(today, task[3]), _day(today, task[4]), task[5]) for task in _TASKS),
    ]


_TEAM: list[Row] = [
    ("Name", "Role", "Address"),
    ("Ann Lee", "Developer", "ann@example.com"),
    ("Bob Stone", "Project lead", "bob@example.com"),
    ("Cy Marsh", "Trainer", "cy@example.com"),
    ("Dee Fox", "Analyst", "dee@example.com"),
]


def _leads(today: date) -> list[Row]:
    header = ("Created", "Client", "Company", "Email", "Phone", "Source", "Salesperson", "Stage")
    rows: list[Row] = [(*header, "Value", "Notes")]
    for number, (client, company, source, seller, stage, value, note, age) in enumerate(_LEADS):
        email = f"{client.split()[0].lower()}@{company.split()[0].lower()}.example"
        phone = f"+1 555 01{number:02}"
        created = today - timedelta(days=age)
        rows.append(
            (created, client, company, email, phone, source, seller, stage, value, note or None)
        )
    return rows


def _contracts(today: date) -> list[Row]:
    rows: list[Row] = [("Contract", "Client", "Owner", "Start date", "End date", "Status", "Value")]
    rows.append(("C-100", "Ada & Sons", "Ann Lee", _LONG_AGO, f"31/12/{today.year + 2}", "Active"))
    rows[-1] = (*rows[-1], 11000)
    for name, client, owner, since, left, status, value in _CONTRACTS:
        days = [_day(today, -since), _day(today, left)]
        start, end = (f"{day:%d/%m/%Y}" if day else "" for day in days)
        rows.append((name, client, owner, start, end, status, value))
    return rows


def _log(today: date, known_id: str) -> list[Row]:
    day = (today - timedelta(days=2)).isoformat()
    text = "Hello, the kettle came broken and I want a refund. Dora"
    return [
        ("Sender", "Subject", "Date", "Full text", "Message id"),
        ("Dora Finch <dora@customers.example>", "Refund for order 1017", day, text, known_id),
    ]


def _day(today: date, days: int | None) -> date | None:
    return None if days is None else today + timedelta(days=days)


def _workbook(tabs: dict[str, list[Row]]) -> bytes:
    from openpyxl import Workbook  # noqa: PLC0415

    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tabs.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for letter in "ABCDEFGHIJ":
            sheet.column_dimensions[letter].width = 18
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text(rows: list[Row]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
