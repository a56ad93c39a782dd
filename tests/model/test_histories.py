"""Random histories against the reference: crashes, zombies, cuts and people, under virtual time."""

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from pilot import settings, vault
from pilot.engine.life import executions, starts
from tests.engine.generation import asked
from tests.engine.receiving import receiving
from tests.model.ground import Still
from tests.model.machine import History
from tests.model.reference import Plan
from tests.pages import KEY

pytestmark = pytest.mark.crash
NIGHTLY = hypothesis.settings.get_current_profile_name() == "nightly"
HISTORIES = 3_000 if NIGHTLY else 12
RULES = 60 if NIGHTLY else 40


@pytest.fixture
def ground(database, redis_url, world, superuser, tmp_path, peer):
    vault.configure([KEY])
    with receiving() as outside:
        asked.set_up(peer)
        settings.change("llm_breaker_failures", 100, by=asked.BY)  # the peer's faults are many
        ground = Still(database, redis_url, world.operator, superuser, tmp_path, outside, peer=peer)
        yield ground
        ground.close()
    vault.configure([])


@pytest.mark.capability(29, 30, 31, 32)
def test_however_workers_die_each_execution_ends_as_the_reference_says(ground):
    run_state_machine_as_test(
        lambda: History(ground),
        settings=hypothesis.settings(max_examples=HISTORIES, stateful_step_count=RULES),
    )


def test_a_request_that_no_thread_has_begun_when_it_is_cancelled_never_leaves(ground):
    ground.clear()
    agent = ground.agent(Plan(("keyed",), (frozenset(),)))
    who = {"by": ground.person.actor, "user_id": ground.person.id}
    one = starts.start(agent, starts.Start(inputs={"id": "x", "n": 1}), **who)
    worker = ground.worker()
    worker.loop.claim()
    worker.advance()  # the intent
    assert [gate.kind for gate in worker.gates] == ["work"]
    executions.cancel(one, **who)
    worker.look()
    while worker.advance():
        continue
    worker.drop()
    assert ground.ask("SELECT status FROM execution WHERE id = %s", one) == [("cancelled",)]
    assert ground.requests() == []
