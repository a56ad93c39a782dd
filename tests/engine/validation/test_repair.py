import pytest

from pilot.engine.validation import apply_fix, repair, validate
from pilot.errors import InvalidError, Issue
from tests.engine.documents import GOOD, waiting, workflow

# Many mistakes at once, each with a single way out.
BROKEN = {
    "format": 1,
    "steps": [
        {"id": "search mails", "type": "action", "plugin": "mial", "action": "search",
         "params": {"isUnread": True, "limit": "5", "colour": "red"}},
        {"type": "ai_procesing", "prompt": "Why? {{steps.search_mails.messages}}"},
        {"id": "send", "type": "action", "plugin": "mail", "action": "send",
         "params": {"to": "ann@example.com", "subject": "Hi", "text": "{{step2.output.text}}"},
         "executeIf": {"field": "steps.search_mails.output.more", "operator": "is_not_null"}},
    ],
}  # fmt: skip


@pytest.mark.capability(305)
def test_every_fix_without_alternative_is_applied_and_counted(known):
    repaired = repair(BROKEN, known)
    assert repaired.issues == []
    assert [step["id"] for step in repaired.document["steps"]] == ["search_mails", "step2", "send"]
    assert repaired.document["steps"][0]["params"] == {"unread": True, "limit": 5}
    assert repaired.document["steps"][2]["params"]["to"] == ["ann@example.com"]
    assert repaired.counts["E_PARAM_UNKNOWN"] == 2
    assert {note.code for note in repaired.notes} == {"W_COERCED"}
    assert len(repaired.notes) == len(repaired.applied)


@pytest.mark.parametrize("name", GOOD)
def test_a_right_document_is_left_as_it_is(known, name):
    repaired = repair(GOOD[name], known)
    assert (repaired.document, repaired.applied) == (GOOD[name], [])


def test_a_fix_with_alternatives_waits_for_a_person(known):
    document = workflow(
        {"id": "r", "type": "action", "plugin": "tables", "action": "read_range", "params": {}}
    )
    repaired = repair(document, known)
    assert repaired.document == document
    assert [(issue.code, bool(issue.fix)) for issue in repaired.issues] == [
        ("E_PARAM_MISSING", True)
    ]


def test_steps_in_the_wrong_order_are_moved(known):
    document = workflow(
        waiting("a", execute_if="steps.b.output.waited_s > 0"),
        waiting("b", execute_if="steps.c.output.waited_s > 0"),
        waiting("c"),
    )
    repaired = repair(document, known)
    assert [step["id"] for step in repaired.document["steps"]] == ["c", "b", "a"]
    assert repaired.issues == []


def test_the_document_itself_is_not_changed(known):
    before = str(BROKEN)
    repair(BROKEN, known)
    apply_fix(BROKEN, next(issue for issue in validate(BROKEN, known) if issue.fix))
    assert str(BROKEN) == before


@pytest.mark.parametrize(
    "fix", [None, [{"op": "replace", "path": "/steps/9/id", "value": "x"}], [{"op": "fly"}]]
)
def test_a_fix_that_no_longer_fits_is_refused(fix):
    with pytest.raises(InvalidError, match="does not fit"):
        apply_fix(workflow(waiting("a")), Issue("E_BAD_ID", "/steps/9/id", "Bad.", fix=fix))


def test_references_follow_a_renamed_step(known):
    document = workflow(
        waiting("my-step"),
        waiting("b", execute_if="steps['my-step'].output.waited_s > 0", dependencies=["my-step"]),
    )
    repaired = repair(document, known)
    assert repaired.issues == []
    assert repaired.document["steps"][1]["execute_if"] == "steps.my_step.output.waited_s > 0"
    assert repaired.document["steps"][1]["dependencies"] == ["my_step"]


def test_a_doubled_id_is_numbered_only_if_nobody_could_mean_it(known):
    read = waiting("c", execute_if="steps.a.output.waited_s > 0")
    numbered = repair(workflow(waiting("a"), waiting("a")), known)
    assert [step["id"] for step in numbered.document["steps"]] == ["a", "a_2"]
    unclear = repair(workflow(waiting("a"), waiting("a"), read), known)
    assert [issue.code for issue in unclear.issues] == ["E_DUPLICATE_ID"]


def test_a_step_that_fails_is_a_stop_of_another_name(known):
    step = {"id": "end", "type": "fail", "message": "No rows."}
    repaired = repair(workflow(step), known)
    assert repaired.document["steps"][0] == step | {"type": "stop", "outcome": "failed"}
    assert not [one for one in repaired.issues if one.severity == "error"]
