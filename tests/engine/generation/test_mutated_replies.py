"""Whatever a model replies becomes a document or a value, or a fault with a name; nothing else."""

import time
from collections import Counter

import pytest

from pilot import strictjson
from pilot.engine.acting import ai
from pilot.engine.generation import candidates
from pilot.engine.generation.candidates import Rules
from pilot.engine.language import catalogue, json_schemas
from pilot.engine.workflow import document
from pilot.errors import BadJsonError
from pilot.llm.messages import Reply
from pilot.llm.reading import json_value
from pilot.llm.reasons import FailureReason
from tests.engine import goal_documents as goals
from tests.engine.generation import asked
from tests.llm.mutations import FAITHFUL, MUTATIONS, READ, mutants

pytestmark = pytest.mark.long

DRAFTS, ANSWERS = 3_000, 7_000
CHECK = asked.step("check", "conditional", {"condition": "len(inputs.to) > 0"})
KIND = asked.step("kind", "switch", {"value": "inputs.kind"})
BRANCHED = asked.flat(
    *(asked.SEARCH, asked.SUM_UP, CHECK, KIND, asked.SEND | {"parent": "check/then"}),
    asked.SEND | {"id": "vip", "parent": 'kind/"VIP"'},
    asked.SEND | {"id": "rest", "parent": "kind/default"},
    inputs=[{"name": "kind", "type": "string", "required": True, "description": "Gr\u00f6\u00dfe"}],
    questions=[{"parameter": "kind", "text": 'Which one, "VIP" or not?'}],
)
GOOD = [asked.GOOD, asked.FORGETFUL, BRANCHED, goals.URGENT, goals.TASKS, goals.ORDER]
ROWS = {
    "type": "object",
    "required": ["rows"],
    "properties": {
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["vendor", "total"],
                "properties": {
                    "vendor": {"type": ["string", "null"]},
                    "total": {"type": ["number", "null"]},
                    "note": {"type": "string"},
                },
            },
        }
    },
}
EXTRACTED = [
    {
        "rows": [
            {"vendor": "Bauer & S\u00f6hne \U0001f600", "total": 12.5, "note": 'said "yes, [1]"'}
        ]
    },
    {"rows": [{"vendor": None, "total": None}, {"vendor": "O'Neill, {Inc}", "total": 10**9}]},
    {"rows": [{"vendor": "a very long name " * 40, "total": -0.01, "note": "http://a.b/c"}]},
]
SECONDS = 6.0  # of the processor


@pytest.mark.capability(303)
def test_a_mutated_draft_is_a_document_or_a_named_fault():
    known, seen = catalogue.load(), Counter()
    for name, meant, text in mutants(GOOD, DRAFTS):
        started = time.thread_time()
        found = candidates.read(text, asked.GOAL, known, Rules(50, "block"))
        assert time.thread_time() - started < SECONDS, (name, len(text))
        _judge(found)
        _faithful(name, meant, text)
        seen[name, found.document is not None] += 1
    assert {name for name, _ in seen} == set(MUTATIONS)
    assert all(seen[name, True] for name in READ)


def _judge(found):
    """A document that JSON can hold; without a reason it is one that may be saved."""
    errors = [one for one in found.issues if one.severity == "error"]
    if found.document is not None:
        assert strictjson.loads(strictjson.dumps(found.document)) == found.document
    if found.reason is None:
        assert errors == []
        assert document.parse(document.text(found.document)).steps
    elif found.reason is FailureReason.SCHEMA:
        assert errors
    else:
        assert found.reason is FailureReason.SEMANTIC
        assert (errors, bool(found.issues)) == ([], True)
    assert all(one.code[:2] in {"E_", "W_"} and one.message for one in found.issues)


@pytest.mark.capability(303)
def test_a_mutated_answer_of_a_step_fits_its_schema_or_is_a_named_fault():
    read, seen = ai.reader(ROWS), Counter()
    for name, meant, text in mutants(EXTRACTED, ANSWERS):
        started = time.thread_time()
        found = read(Reply(text, (), "end", "cheap", None))
        assert time.thread_time() - started < SECONDS, (name, len(text))
        if found.issues:
            assert found.reason is FailureReason.SCHEMA
            assert all(found.issues)
        else:
            assert list(json_schemas.check_value(ROWS, found.value)) == []
            assert strictjson.loads(strictjson.dumps(found.value)) == found.value
        _faithful(name, meant, text)
        seen[name, not found.issues] += 1
    assert all(seen[name, True] for name in READ)


def _faithful(name, meant, text):
    """What cannot be told from the reply is never guessed: a cut one is not completed."""
    try:
        value = json_value(text)
    except BadJsonError as error:
        assert error.message  # noqa: PT017 -- both ways are right
        assert name not in READ, text[:300]
    else:
        assert name not in FAITHFUL or value == meant, (name, text[:300])
