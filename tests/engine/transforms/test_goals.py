"""The transforms of real goals, on data with the traps that they meet."""

import pytest

from tests.engine.transforms.work import failure, run, transform

# G2: complaints of the last days that the sheet does not have yet.
MAILS = [
    {"id": "m1", "from": "ann@a.test", "subject": "REFUND!", "text": "Now", "unread": True},
    {"id": "m2", "from": "bob@b.test", "subject": "Hello", "text": "I am Angry", "unread": True},
    {"id": "m3", "from": "cem@c.test", "subject": None, "text": "not working", "unread": False},
    {"id": 4, "from": "dan@d.test", "subject": "refund", "text": "again"},
    {"id": "m5", "from": "eve@e.test", "subject": "Lunch", "text": "?"},
]
WORDS = ["complaint", "refund", "angry", "not working"]


def has_any(field):
    return {"field": field, "operator": "contains_any", "value": WORDS, "ignore_case": True}


def test_g2_appends_only_complaints_that_are_not_logged():
    logged = run(
        [["Sender", "message id"], ["x", "m1"], ["y", "4"], ["", ""]],
        ("rows_to_objects", {}),
        ("project_column", {"field": "message id"}),
    )
    assert logged == ["m1", "4"]
    found = transform(
        MAILS,
        ("with_fields", {"fields": {"all": "default(item.subject, '') + ' ' + item.text"}}),
        ("filter", {"condition": {"or": [has_any("subject"), has_any("text")]}}),
        ("set_difference", {"right": "steps.logged.output", "by": "id"}),
        ("map", {"fields": {"sender": "item.from", "subject": "item.subject", "id": "item.id"}}),
        logged=logged,
    )
    assert found.value == [{"sender": "bob@b.test", "subject": "Hello", "id": "m2"}]
    assert "1 of 5 rows did not match because a value is null (row 3)" in found.notes[0]


def test_g2_logs_everything_into_a_new_sheet():
    config = {"right": "steps.logged.output", "by": "id"}
    assert len(run(MAILS, ("set_difference", config), logged=[])) == 5


# G4: active contracts that end within ten days, five columns, mail shows them.
CONTRACTS = [
    ["Client", "End date", "Status", "Value", "Owner", "Notes"],
    ["Ann", "12/03/2026", "Active", "1.000,50", "x"],
    ["Bob", "20/03/2026", "Active", "7", "x", "n"],
    ["Cem", "21/03/2026", "Active", "7", "x", "n"],
    ["Dan", "09/03/2026", "Active", "7", "x", "n"],
    ["Eve", "11/03/2026", "Ended", "7", "x", "n"],
    ["", "", "", "", "", ""],
    ["Fay", "", "Active", "", "x", "n"],
]
DUE = [
    ("rows_to_objects", {}),
    (
        "parse",
        {
            "types": {"End date": "date:DD/MM/YYYY", "Value": "number"},
            "number_format": "1.234,56",
        },
    ),
    ("with_fields", {"fields": {"days": "date_diff(today(), item['End date'], 'days')"}}),
    (
        "filter",
        {"condition": "item.Status == 'Active' and item.days >= 0 and item.days <= inputs.days"},
    ),
    ("sort", {"by": [{"field": "days"}]}),
    ("select", {"fields": ["Client", "End date", "Value", "Owner", "days"]}),
]


def test_g4_counts_calendar_days_in_the_users_zone():
    found = transform(CONTRACTS, *DUE)
    assert [(row["Client"], row["days"]) for row in found.value] == [("Ann", 2), ("Bob", 10)]
    assert list(found.value[0]) == ["Client", "End date", "Value", "Owner", "days"]
    assert found.value[0]["Value"] == 1000.5


def test_g4_never_guesses_a_date():
    parse = ("parse", {"types": {"End date": "date"}})
    message = failure(CONTRACTS, ("rows_to_objects", {}), parse)
    assert "row 1: End date '12/03/2026' is no ISO date" in message


def test_g4_refuses_american_dates_in_a_european_column():
    sheet = [*CONTRACTS, ["Gus", "03/28/2026", "Active", "1", "x", "n"]]
    assert "row 7: End date '03/28/2026'" in failure(sheet, *DUE)


@pytest.mark.parametrize("sheet", [[], CONTRACTS[:1], [CONTRACTS[0], ["", ""]]])
def test_g4_says_so_when_nothing_is_due(sheet):
    table = ("render_table", {"empty": "No contract expires within {{inputs.days}} days."})
    assert run(sheet, *DUE, table) == {
        "text": "<p>No contract expires within 10 days.</p>",
        "rows": 0,
    }


# G8: important tasks that end in the next three full days, without those that have no name.
TASKS = [
    {"Task": "T1", "Priority": "High", "End": "2026-03-13"},
    {"Task": "T2", "Priority": "Critical", "End": "2026-03-11"},
    {"Task": None, "Priority": "High", "End": "2026-03-11"},
    {"Task": "", "Priority": "High", "End": "2026-03-11"},
    {"Task": "T3", "Priority": "Low", "End": "2026-03-11"},
    {"Task": "T4", "Priority": "High", "End": "2026-03-10"},
    {"Task": "T5", "Priority": "High", "End": "2026-03-14"},
    {"Task": "T6", "Priority": "High", "End": None},
    {"Task": "T7", "Priority": "High", "End": "2026-03-11"},
]


def test_g8_takes_the_next_three_days_without_today_soonest_first():
    found = transform(
        TASKS,
        ("filter", {"condition": {"field": "Task", "operator": "is_not_empty"}}),
        (
            "filter",
            {"condition": {"field": "Priority", "operator": "in", "value": ["Critical", "High"]}},
        ),
        ("with_fields", {"fields": {"days": "date_diff(today(), item.End, 'days')"}}),
        ("filter", {"condition": {"field": "days", "operator": "between", "value": [1, 3]}}),
        ("sort", {"by": [{"field": "End"}]}),
    )
    assert [row["Task"] for row in found.value] == ["T2", "T7", "T1"]


# G10, G11: leads of stage 4; one table for all, and one for each salesperson.
LEADS = [
    ["Name", "Stage", "Sales", "Email"],
    ["Ada", "4", "ann@a.test", "ada@x.test"],
    ["Bob", 4, "bob@b.test", "bob@x.test"],
    ["Cem", 4.0, "ann@a.test", "cem@x.test"],
    ["Dan", "44", "ann@a.test", "dan@x.test"],
    ["Eve", "", "ann@a.test", "eve@x.test"],
    ["<Fay>", " 4 ", "", "fay@x.test"],
]
STAGE_4 = [("rows_to_objects", {}), ("filter", {"condition": "item.Stage == 4"})]


def test_g10_takes_4_as_a_number_and_as_a_text():
    assert [row["Name"] for row in run(LEADS, *STAGE_4)] == ["Ada", "Bob", "Cem", "<Fay>"]


def test_g10_mails_each_person_once_and_escapes_names():
    people = ["ann@a.test", "bob@b.test", "ann@a.test"]
    assert run(people, ("deduplicate", {})) == people[:2]
    table = run(LEADS, *STAGE_4, ("render_table", {"columns": ["Name", "Email"]}))
    assert (table["rows"], "<td>&lt;Fay&gt;</td>" in table["text"]) == (4, True)


def test_g11_gives_each_salesperson_their_own_leads():
    groups = run(
        LEADS,
        *STAGE_4,
        ("filter", {"condition": {"field": "Sales", "operator": "is_not_empty"}}),
        ("group", {"by": "Sales"}),
    )
    assert [(one["key"], [row["Name"] for row in one["items"]]) for one in groups] == [
        ("ann@a.test", ["Ada", "Cem"]),
        ("bob@b.test", ["Bob"]),
    ]


def test_a_header_that_changed_is_named():
    sheet = [["Name", "Stages", "Sales", "Email"], *LEADS[1:]]
    with pytest.raises(Exception, match="Stages"):
        run(sheet, *STAGE_4)
