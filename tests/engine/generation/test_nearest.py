"""A goal that was accepted before, with other literals: its workflow again, never a wrong one."""

import pytest

from pilot import db, strictjson
from pilot.engine.folders import private
from pilot.engine.generation import drafts, nearest, thumbs

GOAL = "Mail the tasks of the Gantt sheet that end within 3 days to ann@example.com"
DOCUMENT = {
    "format": 1,
    "name": "Tasks for ann@example.com",
    "goal": GOAL,
    "steps": [
        {
            "id": "read",
            "type": "action",
            "plugin": "tables",
            "action": "read_range",
            "params": {"table": "Gantt"},
        },
        {
            "id": "rows",
            "type": "transform",
            "input": "steps.read.output.values",
            "operations": [
                {"operation": "rows_to_objects", "config": {}},
                {
                    "operation": "filter",
                    "config": {"condition": "date_diff(today(), date(item.End), 'days') <= 3"},
                },
                {"operation": "render_table", "config": {"format": "text"}},
            ],
        },
        {
            "id": "send",
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "params": {
                "to": ["ann@example.com"],
                "subject": "Tasks",
                "text": "{{steps.rows.output.text}}",
            },
        },
    ],
}


@pytest.fixture
def data(tmp_path, world):
    tables = private(tmp_path, world.operator.id) / "tables"
    tables.mkdir(parents=True)
    (tables / "Gantt.csv").write_text("Task,End\nBuild,2026-12-01\n")
    return tmp_path


@pytest.fixture
def who(world):
    return {"by": world.operator.actor, "user_id": world.operator.id}


@pytest.fixture
def accepted(data, who):
    """The goal's workflow, as its owner wrote it."""
    made = drafts.begin(GOAL, data=data, **who)
    drafts.edit(made, strictjson.dumps(DOCUMENT), data=data, user_id=who["user_id"])
    drafts.accept(made, "Tasks", data=data, **who)
    return made


def drafted(goal, data, who):
    made = drafts.begin(goal, data=data, **who)
    with db.reading(who["user_id"]) as session:
        return drafts.load(session, made)


@pytest.mark.capability(87, 248)
def test_what_differs_is_put_in_and_nothing_is_paid(accepted, data, who):
    goal = "Please mail the tasks of the Gantt sheet that end within 5 days to bob@example.org"
    row = drafted(goal, data, who)
    assert (row.generator, row.cost_usd, row.stage) == ("nearest", 0, "done")
    text = strictjson.dumps(row.document)
    assert "<= 5" in text
    assert row.document["steps"][2]["params"]["to"] == ["bob@example.org"]
    assert (row.document["name"], row.document["goal"]) == ("Tasks for bob@example.org", goal)
    assert "ann@" not in text
    assert row.confidence > 90


def test_what_is_left_out_is_asked_before_each_start(accepted, data, who):
    row = drafted("Mail the tasks of the Gantt sheet that end within 3 days", data, who)
    assert row.generator == "nearest"
    assert row.document["steps"][2]["params"]["to"] == ["{{inputs.recipient}}"]
    assert row.document["inputs"]["required"] == ["recipient"]


@pytest.mark.parametrize(
    "goal",
    [
        "Mail the tasks of the Gantt sheet that start within 3 days to ann@example.com",
        "Mail the tasks of the Gantt sheet that end within 3 weeks to ann@example.com",
        "Mail no tasks of the Gantt sheet that end within 3 days to ann@example.com",
        "Mail the tasks of the Gantt sheet that end within 3 days to ann@example.com and bob@x.org",
    ],
)
def test_other_words_are_another_goal(accepted, data, who, goal):
    assert drafted(goal, data, who).generator != "nearest"


def test_a_number_that_means_several_things_is_not_guessed(data, who):
    twice = strictjson.loads(strictjson.dumps(DOCUMENT))
    twice["steps"][1]["operations"].insert(2, {"operation": "limit", "config": {"count": 3}})
    made = drafts.begin(GOAL, data=data, **who)
    drafts.edit(made, strictjson.dumps(twice), data=data, user_id=who["user_id"])
    drafts.accept(made, "Tasks", data=data, **who)
    assert drafted(GOAL.replace("3", "5"), data, who).generator != "nearest"


def test_a_workflow_that_its_owner_thought_wrong_is_not_taken_again(accepted, data, who):
    assert drafted(GOAL.replace("3", "5"), data, who).generator == "nearest"
    thumbs.give(accepted, "down", "It forgets the holidays", user_id=who["user_id"])
    assert drafted(GOAL.replace("3", "5"), data, who).generator != "nearest"
    assert drafted(GOAL, data, who).generator not in {"nearest", "cache"}


def test_anothers_workflow_is_not_taken(accepted, data, world):
    other = {"by": world.admin.actor, "user_id": world.admin.id}
    assert drafted(GOAL.replace("3", "5"), data, other).generator != "nearest"


def test_the_workflow_of_a_goal_much_alike_is_an_example(accepted, data, who, world):
    row = drafted("Mail the tasks of the Gantt sheet that are late to ann@example.com", data, who)
    with db.reading(row.owner_id) as session:
        assert nearest.example(session, row.owner_id, row.goal, row.id)["steps"][0]["id"] == "read"
        (past,) = nearest.past(session, row.owner_id, row.id)
        assert past.actions == {"tables.read_range", "mail.send"}
        assert nearest.example(session, row.owner_id, "Translate a poem", row.id) is None
