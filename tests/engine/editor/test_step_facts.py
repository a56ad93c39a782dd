"""What the workflow page says about a step."""

import pytest

from pilot.engine.editor import step_facts
from pilot.engine.language import catalogue
from pilot.engine.workflow import document
from tests.engine.documents import CONTRACTS, GOOD


@pytest.fixture(scope="module")
def known():
    return catalogue.load()


def of_send(known, **more):
    steps = [*CONTRACTS["steps"][:3], CONTRACTS["steps"][3] | more]
    return step_facts.facts(CONTRACTS | {"steps": steps}, known)["send"]


@pytest.mark.parametrize("name", GOOD)
def test_every_step_has_facts(known, name):
    found = step_facts.facts(GOOD[name], known)
    assert found.keys() == {one.id for one in document.walk(document.parse(GOOD[name]).steps)}
    assert all(one.failure for one in found.values())


def test_parameters_name_their_sources(known):
    found = {one.name: one.sources for one in of_send(known).parameters}
    assert found == {
        "to": (("input", "to"),),
        "subject": (("step", "due"),),
        "html": (("step", "list"),),
    }


def test_a_transform_names_what_it_reads(known):
    due = step_facts.facts(CONTRACTS, known)["due"]
    assert [one.name for one in due.parameters] == ["input", "operations"]
    assert ("step", "read") in due.parameters[0].sources
    assert ("input", "days") in due.parameters[1].sources
    assert (due.needs, due.effect, due.retry) == (("read",), "", "")


def test_retry_failure_and_condition_are_told_in_words(known):
    usual = of_send(known)
    assert usual.effect != "pure"
    assert usual.retry.startswith("up to 3 attempts on timeout, rate limit, network, server")
    assert usual.failure == "the execution fails; nothing new starts"
    assert of_send(known, retry={"max_attempts": 1}).retry == "one attempt"
    assert of_send(known, effect="once").retry.endswith("only if it provably never left")
    assert of_send(known, on_error="continue").failure == "goes on without its output"
    assert of_send(known, execute_if="inputs.days > 3").when == "the input days > 3"
    other = of_send(known, on_error={"branch": [{"id": "b", "type": "delay", "for_s": 1}]})
    assert other.failure == "b in its place"


def test_a_document_that_cannot_be_read_has_none(known):
    assert step_facts.facts({"steps": [{"id": "a", "type": "odd"}]}, known) == {}
