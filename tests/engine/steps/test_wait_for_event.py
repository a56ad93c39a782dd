"""Steps that wait for an event: what is kept with the wait, and what their output is."""

from collections import ChainMap

import pytest

from pilot.engine.acting import event_matches
from pilot.engine.language.catalogue import load
from pilot.engine.steps import wait_for_event
from pilot.errors import StepError
from tests.engine.steps.surroundings import NOW, context, resolved, step

WAIT = {"type": "wait_for_event", "event": "order.{{inputs.what}}"}
MATCH = "event.payload.order == inputs.order.id and steps.made.output.ok"
INPUTS = {"what": "paid", "order": {"id": 7, "rest": "x" * 70_000}}


def test_it_keeps_of_the_execution_what_its_condition_reads():
    steps = {"made": {"status": "completed", "output": {"ok": True, "more": 1}}}
    seen = ChainMap({}, steps)  # as within a loop
    wait = wait_for_event.run(step(**WAIT, match=MATCH), context(inputs=INPUTS, steps=seen))
    assert (wait.kind, wait.event, wait.delay_s) == ("event", "order.paid", 604_800)
    known = {"inputs": {"order": {"id": 7}}, "steps": {"made": {"output": {"ok": True}}}}
    assert wait.asked["roots"] == known
    for order, holds in ((7, True), ("7", True), (8, False), (None, False)):
        event = {"name": "order.paid", "source": "api", "id": "1", "payload": {"order": order}}
        assert event_matches.holds(wait.asked, event) is holds
    assert not event_matches.holds(wait.asked, event | {"payload": {}}), "it cannot be judged"


def test_a_condition_that_reads_too_much_is_refused():
    made = step(**WAIT, match="event.payload.rest == inputs.order.rest")
    with pytest.raises(StepError, match="64 KiB"):
        wait_for_event.run(made, context(inputs=INPUTS))


@pytest.mark.parametrize("what", ["", "a b", "é", "x" * 100])
def test_a_text_that_is_no_name_is_refused(what):
    made = step(type="wait_for_event", event=f"{{{{inputs.what}}}}{' ' if not what else ''}")
    with pytest.raises(StepError, match="no name of an event"):
        wait_for_event.run(made, context(inputs={"what": what + "y" if len(what) > 9 else what}))


def test_its_output_is_the_event_or_that_none_came():
    event = {"event": "order.paid", "payload": [1], "received_at": "2026-03-02T09:00:00+00:00"}
    done = wait_for_event.resume(step(**WAIT), context(), resolved("event", **event), NOW)
    assert done.output == event | {"timed_out": False}
    late = resolved("event", fired=True)
    made = step(**WAIT, on_timeout="continue", timeout_s=7200)
    done = wait_for_event.resume(made, context(inputs=INPUTS), late, NOW)
    assert (done.output["timed_out"], done.output["payload"]) == (True, None)
    with pytest.raises(StepError, match=r"order\.paid came within 7 days") as caught:
        wait_for_event.resume(step(**WAIT), context(inputs=INPUTS), late, NOW)
    assert caught.value.error_class == "expired"


def test_it_is_told_in_words():
    told = wait_for_event.describe(WAIT | {"match": "event.payload.ok", "timeout_s": 60}, load())
    assert told.startswith("Wait for the event order.[what] where ")
    assert told.endswith(", 1 minute at most")
