"""The demo data always has hits for the goals that it is made for, and keeps the owner's work."""

from datetime import date, timedelta

import pytest

from pilot.engine.demo import make_demo
from pilot.plugins.tables.books import read
from pilot.plugins.tables.sampling import sample

OWNER = "owner@example.com"


def rows(folder, name, tab):
    path = folder / "tables" / name
    header, *body = read(path, path.read_bytes()).tabs[tab]
    return [dict(zip(header, row, strict=False)) for row in body]


def test_it_makes_four_tables_and_a_mailbox(tmp_path):
    made = make_demo(tmp_path, date(2026, 11, 21), OWNER)
    assert all(path.is_file() for path in made)
    names = {"Gantt.xlsx", "Leads.xlsx", "Support.xlsx", "contracts.csv"}
    assert {path.name for path in made if path.parent.name == "tables"} == names
    mails = [path for path in made if path.parent == tmp_path / "mail" / OWNER / "INBOX" / "new"]
    assert len(mails) == 8


@pytest.mark.parametrize("day", [date(2026, 11, 21), date(2026, 12, 31), date(2028, 2, 28)])
def test_urgent_tasks_end_on_each_of_the_next_three_days(tmp_path, day):
    make_demo(tmp_path, day, OWNER)
    plan = rows(tmp_path, "Gantt.xlsx", "Project plan")
    urgent = [row["End date"] for row in plan if row["Priority"] in {"Critical", "High"}]
    assert {(day + timedelta(days=n)).isoformat() for n in range(5)} <= set(urgent)
    assert any(not row["Task"] for row in plan)
    assert any(not row["End date"] for row in plan)


def test_stages_are_numbers_and_texts(tmp_path):
    make_demo(tmp_path, date(2026, 11, 21), OWNER)
    stages = [row["Stage"] for row in rows(tmp_path, "Leads.xlsx", "Leads")]
    assert {"4", 4, "14"} <= set(stages)


@pytest.mark.parametrize("day", [date(2026, 11, 21), date(2026, 1, 5), date(2027, 7, 12)])
def test_dates_of_contracts_have_one_reading(tmp_path, day):
    make_demo(tmp_path, day, OWNER)
    (contracts,) = [one for one in sample(tmp_path) if one.table == "contracts.csv"]
    formats = {one.name: one.date_format for one in contracts.columns if one.kind == "date"}
    assert formats == {"Start date": "DD/MM/YYYY", "End date": "DD/MM/YYYY"}


def test_a_file_that_is_there_is_kept(tmp_path):
    (tmp_path / "tables").mkdir()
    mine = tmp_path / "tables" / "contracts.csv"
    mine.write_text("a,b\n1,2\n")
    made = make_demo(tmp_path, date(2026, 11, 21), OWNER)
    assert mine not in made
    assert mine.read_text() == "a,b\n1,2\n"
    assert make_demo(tmp_path, date(2026, 11, 22), OWNER) == []
