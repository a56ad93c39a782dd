"""Goals G8, G10, G4 and G2 in many words: drafted right, or asked; never silently wrong."""

from pathlib import Path

import pytest

from pilot.engine.planner import plan
from pilot.engine.validation import validate
from tests.engine.planner import expected, running
from tests.engine.planner.conftest import OWNER, TODAY
from tests.written import read

FOLDER = Path(__file__).parent
GOALS = [
    pytest.param(case, id=f"{name}-{number}")
    for name in ("paraphrases", "held_out", "more")
    for number, case in enumerate(read(FOLDER / f"{name}.yaml"))
]


def wanted(kind):
    return [one for one in GOALS if one.values[0]["like"] in kind]


def drafted(goal, known):
    found = plan(goal, known, answers={}, zone="Europe/Berlin", owner_email=OWNER)
    assert found.document, [one.text for one in found.questions] or found.refusal
    assert validate(found.document, known) == []
    return found.document


def mailed(case, document, outputs, shown):
    """Check recipients, columns, subject and approval of the drafted mail."""
    to = [OWNER if one == "me" else one for one in case["to"]]
    (send,) = [one for one in document["steps"] if one.get("action") == "send"]
    assert document["inputs"]["properties"]["to"]["default"] == to
    if "send" in outputs:
        assert [*outputs["send"]["accepted"]] == to
    assert ("approve" in outputs) == ("approval" in case)
    (rendered,) = [one for one in document["steps"] if one["id"] == "table"]
    assert rendered["config"]["columns"] == case.get("columns", shown)
    assert send["params"]["subject"] == case.get("subject", send["params"]["subject"])
    if case.get("empty") == "silent":
        assert send["execute_if"] == "len(steps.rows.output) > 0"
    elif "empty" in case:
        assert rendered["config"]["empty"] == case["empty"]


@pytest.mark.parametrize("case", wanted({"G8"}))
def test_g8_finds_the_tasks_that_end_soon(case, known, demo_folder):
    document = drafted(case["goal"], known)
    outputs = running.run(document, known, demo_folder, today=TODAY, owner=OWNER)
    assert [row["Task"] for row in outputs["rows"]] == expected.g8(demo_folder, TODAY)
    mailed(case, document, outputs, expected.G8_COLUMNS)


@pytest.mark.parametrize("case", wanted({"G10"}))
def test_g10_finds_the_leads_in_stage_4(case, known, demo_folder):
    document = drafted(case["goal"], known)
    outputs = running.run(document, known, demo_folder, today=TODAY, owner=OWNER)
    found = [(row["Client"], row["Company"]) for row in outputs["rows"]]
    assert found == expected.g10(demo_folder)
    shown = list(expected.table(demo_folder, "Leads.xlsx", "Leads")[0])
    mailed(case, document, outputs, shown)


@pytest.mark.parametrize("case", wanted({"G4"}))
def test_g4_finds_the_contracts_that_expire(case, known, demo_folder):
    document = drafted(case["goal"], known)
    outputs = running.run(document, known, demo_folder, today=TODAY, owner=OWNER)
    assert {row["Contract"] for row in outputs["rows"]} == expected.g4(demo_folder, TODAY)
    shown = list(expected.table(demo_folder, "contracts.csv", "contracts")[0])
    mailed(case, document, outputs, shown)


@pytest.mark.parametrize("case", wanted({"G2"}))
def test_g2_adds_new_complaints_to_the_log(case, rows_of, tmp_path):
    outputs = rows_of(case["goal"])
    assert outputs["append"]["appended"] == 3
    log = expected.table(tmp_path, "Support.xlsx", "UrgentEmails")
    ids = {"INBOX/demo-1", "INBOX/demo-2", "INBOX/demo-3", "INBOX/demo-4"}
    assert {row["Message id"] for row in log} == ids
    assert all(row["Full text"] for row in log)
    assert not any(name.startswith("send") for name in outputs)


@pytest.mark.parametrize("case", wanted({"question", "refusal"}))
def test_what_is_not_clear_is_asked_and_nothing_is_drafted(case, draft):
    found = draft(case["goal"])
    assert found.document is None
    assert bool(found.refusal) == (case["like"] == "refusal")
    assert found.refusal or found.questions
    assert len(found.questions) <= 3


def test_the_demo_data_holds_hits_and_misses(demo_folder):
    assert len(expected.g8(demo_folder, TODAY)) == 4
    assert len(expected.g10(demo_folder)) == 6
    assert expected.g4(demo_folder, TODAY) == {"C-101", "C-102", "C-105", "C-111"}
