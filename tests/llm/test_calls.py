"""The chain: what is repeated, repaired and passed on, by the kind of failure."""

from dataclasses import replace
from decimal import Decimal

import pytest

from pilot import strictjson
from pilot.errors import ErrorClass, ModelError, StepError
from pilot.llm import calls
from pilot.llm.messages import Message, Price, Request, Usage
from pilot.llm.providers import scripted
from tests.engine.steps.surroundings import Booked

ASK = Request("system", (Message("user", "Which?"),), name="it", max_output=100)


def read(reply):
    wrong = [] if reply.text == "good" else [f"{reply.text or 'nothing'} is no good"]
    return calls.Reading(reply.text, wrong)


@pytest.fixture
def model(tmp_path):
    def model(name, *rules, **fields):
        path = tmp_path / f"{name}.json"
        path.write_text(strictjson.dumps({"rules": list(rules)}))
        return replace(scripted.model(path), id=name, **fields)

    return model


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(calls, "PAUSE_S", (0, 0))


def ask(*chain, request=ASK):
    gate = Booked()
    try:
        response = calls.complete(request, chain, gate, read)
    except ModelError as error:
        return error, gate.ended
    return response, gate.ended


def told(ended):
    return [(one.model_asked, one.role, one.reason) for one in ended]


def test_a_good_answer_takes_one_attempt(model):
    found, ended = ask(model("cheap", {"answer": "good"}))
    assert (found.value, told(ended)) == ("good", [("cheap", "step", None)])


@pytest.mark.parametrize(("first", "second"), [("cheap", "strong"), ("strong", "cheap")])
def test_the_next_model_answers_in_either_order(model, first, second):
    bad = model(first, {"answer": "bad"})
    found, ended = ask(bad, model(second, {"answer": "good"}))
    assert found.taken.model_asked == second
    assert told(ended) == [
        (first, "step", "schema"),
        (first, "repair", "schema"),
        (second, "fallback", None),
    ]


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [("timeout", 1), ("api", 2), ("rate_limit", 1), ("refusal", 1), ("truncated", 1)],
)
def test_faults_are_repeated_as_their_kind_allows_then_passed_on(model, fault, attempts):
    found, ended = ask(model("cheap", {"fault": fault}), model("strong", {"answer": "good"}))
    assert found.value == "good"
    assert [one.reason for one in ended] == [fault] * attempts + [None]


@pytest.mark.parametrize("fault", ["auth", "config", "budget"])
def test_what_a_person_has_to_mend_is_never_hidden_by_another_model(model, fault):
    found, ended = ask(model("cheap", {"fault": fault}), model("strong", {"answer": "good"}))
    assert found.error_class is ErrorClass(fault)
    assert len(ended) == 1


def test_a_cut_answer_is_asked_for_once_more_with_twice_the_room(model):
    cut = model("cheap", {"stop": "truncated", "answer": "go"})
    found, ended = ask(cut)
    assert found.error_class is ErrorClass.TRUNCATED
    assert [one.reserved for one in ended] == [0, 0]
    assert len(ended) == 2


def test_a_model_that_gives_no_longer_answers_is_not_asked_again(model):
    rules = {"stop": "truncated", "answer": "go"}
    _, ended = ask(model("cheap", rules, max_output=100), model("strong", rules, max_output=150))
    assert [one.model_asked for one in ended] == ["cheap", "strong", "strong"]


@pytest.mark.parametrize(
    ("price", "reserved"),
    [
        (("1", "1", "1", "1", "1"), 1),
        (("1", "1", "1", "2", "2"), 2),
        (("2", "1", "1", "1", "1"), 2),
    ],
)
def test_a_reservation_counts_with_the_dearest_way_to_send(model, price, reserved):
    priced = model("cheap", {"answer": "good"}, price=Price(*map(Decimal, price)))
    _, (attempt,) = ask(priced)
    tokens = calls.tokens.at_most(ASK)
    assert attempt.reserved == Decimal(tokens * reserved + ASK.max_output) / 1_000_000


def test_at_most_six_attempts_whatever_the_chain(model):
    chain = [model(f"m{n}", {"answer": "bad"}) for n in range(5)]
    found, ended = ask(*chain)
    assert len(ended) == 6
    assert found.error_class is ErrorClass.SCHEMA
    assert found.message.startswith("6 attempts failed. m0: bad is no good; m1:")


def test_a_repair_shows_the_answer_and_what_is_wrong(model):
    rules = (
        {"match": {"nth": 1}, "answer": "bad"},
        {"match": {"text": "bad\nThat answer cannot be used:\n- bad is no good"}, "answer": "good"},
    )
    assert ask(model("cheap", *rules))[0].value == "good"


def test_an_empty_chain_is_a_config_fault():
    assert ask()[0].error_class is ErrorClass.CONFIG


def test_nothing_is_sent_that_the_gate_refuses(model):
    class Closed(Booked):
        def open(self, attempt):
            raise StepError(ErrorClass.BUDGET, "no money", sent=False)

    gate = Closed()
    with pytest.raises(StepError, match="no money"):
        calls.complete(ASK, [model("cheap", {"answer": "good"})], gate, read)
    assert gate.ended == []


def test_cost_is_tokens_times_price_exactly(model):
    price = Price(*map(Decimal, ("0.1", "0.5", "0.01", "0.125", "0.2")))
    usage = {"input": 3, "cache_read": 1_000_000, "output": 1, "reasoning": 2}
    found, _ = ask(model("cheap", {"answer": "good", "usage": usage}, price=price))
    assert found.cost == Decimal("0.0100018")


def test_an_unknown_price_is_unpriced_never_nothing(model):
    found, ended = ask(model("cheap", {"answer": "good"}, price=None))
    assert found.cost is None
    assert (ended[0].reserved, ended[0].cost) == (None, None)


def test_usage_that_the_provider_does_not_say_is_estimated_and_flagged(model):
    _, (attempt,) = ask(model("cheap", {"answer": "good"}))
    assert attempt.flags == ("usage_estimated",)
    assert attempt.usage.input > 0


def test_the_buckets_add_up_to_all_tokens():
    usage = Usage(1, 2, 4, 8, 16, 32)
    assert (usage.prompt, usage.total) == (15, 63)
