"""Batches of rows: how many go into one call, and what the document may say of them."""

from decimal import Decimal

import pytest

from pilot.engine.acting import rows
from pilot.engine.acting.room import Room
from pilot.engine.life import worst_case
from pilot.engine.life.past_runs import Known
from pilot.engine.workflow import document
from pilot.llm.messages import Model, Price
from tests.engine.documents import workflow
from tests.engine.steps.surroundings import step

ASK = {"id": "ask", "type": "ai_processing", "prompt": "Which kind?"}
KIND = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
ROWS = [{"row": row, "data": "word " * 100} for row in range(300)]  # about 110 tokens each
CHEAP = Price.flat(Decimal(1), Decimal(2))
INPUTS = {"type": "object", "properties": {"mails": {"type": "array"}, "n": {"type": "integer"}}}


def ask(**fields):
    return ASK | {"output_schema": KIND, "batch": {"items": "inputs.mails"}} | fields


def fitting(batch=None, left=None, model=None, **fields):
    asked = step(**ask(**fields) | {"batch": {"items": "inputs.mails"} | (batch or {})})
    return Room(asked, 200, model, left).fitting(ROWS)


@pytest.mark.capability(283)
@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, range(30, 51)),
        ({"batch": {"size": 7}}, [7]),
        ({"batch": {"size": 200}}, range(40, 100)),  # its answer would be too long
        ({"max_output_tokens": 1_000}, range(4, 12)),
        ({"model": Model("m", "openai", "m", CHEAP, window=4_000)}, range(5, 20)),
        ({"model": Model("m", "openai", "m", CHEAP, max_output=500)}, range(1, 6)),
        ({"model": Model("m", "openai", "m", CHEAP), "left": Decimal("0.004")}, range(4, 15)),
        ({"model": Model("m", "openai", "m", CHEAP), "left": Decimal(0)}, [1]),
        (
            {"model": Model("m", "openai", "m", Price(*[Decimal(1)] * 5, long_from=2_000))},
            range(8, 20),
        ),
    ],
)
def test_a_call_has_as_many_rows_as_fit_the_model_the_budget_and_its_answer(given, count):
    assert fitting(**given) in count


@pytest.mark.parametrize(
    ("batch", "path"),
    [
        ({"items": 5}, "/steps/0/batch/items"),
        ({"items": "inputs.n"}, "/steps/0/batch/items"),
        ({"items": "inputs.mails", "size": 0}, "/steps/0/batch/size"),
        ({"items": "inputs.mails", "size": 201}, "/steps/0/batch/size"),
        ({"items": "inputs.mails", "size": "many"}, "/steps/0/batch/size"),
        (
            {"items": "inputs.mails", "failure": {"tolerate": "200%"}},
            "/steps/0/batch/failure/tolerate",
        ),
        ({"items": "inputs.mails", "failure": "ignore"}, "/steps/0/batch/failure"),
        ({"items": "inputs.letters"}, "/steps/0/batch/items"),
        ({"size": "auto"}, "/steps/0/batch/items"),
    ],
)
def test_what_is_wrong_with_a_batch_is_said_at_its_place(check, batch, path):
    found = check(workflow(ask(batch=batch), inputs=INPUTS))
    assert path in [place for _, place in found], found


def test_what_reads_a_batch_may_read_its_items_and_errors_only(check):
    good = "{{steps.ask.output.items[0].kind}} {{steps.ask.output.errors[0].message}}"
    assert check(workflow(ask(), inputs=INPUTS, output=good)) == []
    bad = workflow(ask(), inputs=INPUTS, output="{{steps.ask.output.kind}}")
    assert ("E_REF_FIELD", "/output") in check(bad)


def test_the_worst_case_counts_the_calls_of_a_batch_and_each_once_more():
    flow = document.parse(workflow(ask(retry={"max_attempts": 1}), inputs=INPUTS))
    known = Known({}, {}, CHEAP, "m")
    assert worst_case.of(flow, known, {"ask": 120}).asks == 6
    assert worst_case.of(flow, known, most_items=1_000).asks == 40
    listed = ask(batch={"items": ["'a'", "'b'"], "size": 1}, retry={"max_attempts": 2})
    assert worst_case.of(document.parse(workflow(listed)), known).asks == 8


def test_rows_are_named_until_there_are_too_many():
    assert rows.named([3]) == "row 3"
    assert rows.named(range(12)) == "rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
