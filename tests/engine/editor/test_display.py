import pytest

from pilot.engine import steps
from pilot.engine.editor import display
from pilot.engine.language import catalogue, wording
from tests.engine.documents import GOOD, waiting, workflow
from tests.engine.goal_documents import LEADS


@pytest.fixture(scope="module")
def known():
    return catalogue.load()


@pytest.mark.capability(11)
@pytest.mark.parametrize("name", GOOD)
def test_every_step_has_a_sentence(known, name):
    shown = display.lines(GOOD[name], known)
    assert all(line.text[-1] in ".…?" and "{{" not in line.text for line in shown)
    assert len({line.id for line in shown}) == len(shown)


def test_branches_say_when_they_run(known):
    shown = {line.id: line for line in display.lines(LEADS, known)}
    assert shown["any"].text == "Check whether len(the result of leads) > 0."
    assert (shown["send"].branch, shown["none"].branch) == ("If so", "Otherwise")
    assert (shown["send"].depth, shown["send"].effect, shown["table"].effect) == (2, True, False)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"for_s": 259_200}, "Wait 3 days."),
        ({"for_s": 90}, "Wait 90 seconds."),
        ({"for_s": None, "until": "{{inputs.day}}"}, "Wait until the input day."),
        ({"execute_if": "steps.a.output.count > 3"}, "If count of a > 3: wait 1 second."),
        (
            {"execute_if": {"field": "inputs.n", "operator": "not_in", "value": [1, 2]}},
            "If the input n is none of 1, 2: wait 1 second.",
        ),
    ],
)
def test_a_step_is_said_in_plain_words(known, fields, text):
    assert display.sentence(waiting("x", **fields), known) == text


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (
            "lower(text(item.Priority)) in ['critical', 'high']",
            "Priority is one of 'critical', 'high'",
        ),
        ("not is_empty(item['Start date'])", "Start date is filled in"),
        ("item.Stage not in [1, 2]", "Stage is none of 1, 2"),
        ("contains_any(lower(item.text), ['refund'])", "text contains one of 'refund'"),
    ],
)
def test_conditions_over_columns_read_as_people_say_them(written, words):
    assert wording.expression(written) == words


def test_a_value_within_text_is_a_gap_to_fill():
    assert wording.template("Tasks of {{inputs.days}} days") == "Tasks of [days] days"
    assert wording.template("{{inputs.to}}") == "the input to"
    assert wording.template("{{ {{inputs.to}}") == "{{ [to]"
    assert wording.template("x" * 3_000 + " {{inputs.to}}").startswith("xxx")


def test_an_action_shows_what_it_is_given(known):
    step = {"type": "action", "plugin": "tables", "action": "read_range"}
    text = display.sentence({**step, "params": {"table": "{{inputs.table}}"}}, known)
    assert text.endswith("(table: the input table).")


@pytest.mark.parametrize("kind", steps.names())
def test_a_draft_with_nothing_but_a_type_is_shown_too(known, kind):
    (line,) = display.lines(workflow({"id": "a", "type": kind}), known)
    assert line.text


def test_a_draft_without_steps_shows_none(known):
    assert display.workflow_steps({"steps": "none"}, known) == []
    assert display.workflow_steps([], known) == []
    assert display.workflow_steps(workflow({"id": "a"}), known)[0]["text"].startswith("This step")


def test_every_kind_of_branch_is_named(known):
    step = {
        "id": "s",
        "type": "switch",
        "value": "inputs.level",
        "cases": [{"when": ["high", "top"], "steps": [waiting("a")]}],
        "default": [waiting("b")],
        "on_error": {"branch": [waiting("c")]},
    }
    shown = [(line.id, line.branch) for line in display.lines(workflow(step), known)]
    assert shown == [
        ("s", ""),
        ("a", "If it is high, top"),
        ("b", "Otherwise"),
        ("c", "If s fails"),
    ]


def test_long_texts_are_cut_at_a_word(known):
    step = {"type": "ai_processing", "prompt": "Explain " * 50}
    text = display.sentence(step, known)
    assert len(text) < 150
    assert text.endswith("Explain …")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"not": {"field": "inputs.a", "operator": "exists"}}, "not (the input a is there)"),
        (
            {"or": ["inputs.a == 1", {"field": "item.b", "operator": "is_empty"}]},
            "the input a is 1 or b is empty",
        ),
    ],
)
def test_conditions_are_said_in_plain_words(condition, words):
    assert wording.condition(condition) == words
    assert wording.duration("{{inputs.s}}") == "the input s seconds"
