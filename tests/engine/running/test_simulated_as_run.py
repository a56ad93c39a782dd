"""Random workflows: a simulation has the steps and outputs of the run, and bounds its steps."""

import os
from itertools import count

import pytest

from pilot import db, settings
from pilot.engine import validation
from pilot.engine.language import catalogue
from pilot.engine.life import simulations, starts
from pilot.engine.running import run as running
from pilot.reports import simulations as report
from tests.engine import worker_process as wp
from tests.engine.running.random_workflows import GIVEN, INPUTS, UNDO, Workflow
from tests.engine.running.test_simulation import send

EXAMPLES = int(os.environ.get("EXAMPLES", "6"))
FIRST = int(os.environ.get("SEED", "8"))
NATURAL = {"waited_s", "resumed_at", "execution_id", "message_id"}  # they differ by nature
FAMILY = """
WITH RECURSIVE family AS (
  SELECT id, '' AS around FROM execution WHERE id = %s
  UNION ALL
  SELECT c.id, f.around || c.parent_path || '/'
    FROM family f JOIN execution c ON c.parent_id = f.id)
SELECT f.around || s.path, s.attempt, s.status, s.output, s.error ->> 'class'
  FROM family f JOIN step_execution s ON s.execution_id = f.id
"""


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    settings.change("pilot_max_parallel_steps", 1, by=wp.BY)  # else it is chance who is first
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident


def told(value):
    """Return a value without what differs by nature."""
    if isinstance(value, dict):
        return {key: told(one) for key, one in value.items() if key not in NATURAL}
    return [told(one) for one in value] if isinstance(value, list) else value


def trace(database, execution):
    rows = wp._ask(database, FAMILY, execution).fetchall()
    undone = (None,)  # what undoing gives nobody reads: it is made up
    return {
        row[:2]: (row[2], undone if row[0].endswith("/undo") else told(row[3]), row[4])
        for row in rows
    }


def end(database, execution):
    status, output, error, _ = wp.wait_for(database, execution)
    facts = {key: part for key, part in (error or {}).items() if key in {"class", "step"}}
    return status, told(output), facts


def shown(world, simulation):
    with db.reading(world.operator.id) as session:
        return report.shown(session, simulation)


def documents(agent):
    """Yield valid documents at random, with what they were made from."""
    known = catalogue.load()
    for seed in count(FIRST):
        document = Workflow(seed, agent).document()
        issues = validation.validate({"format": 1} | document, known)
        if not any(one.severity == "error" for one in issues):
            yield seed, document


@pytest.mark.capability(251)
def test_a_simulation_is_as_the_run_and_bounds_it(worker, database, world, monkeypatch):
    monkeypatch.setattr(running, "SLICE_S", 60)  # which of two is first depends on no clock
    owner = {"by": world.operator.actor, "user_id": world.operator.id}
    inner = [wp.put("one", 1), send("tell", compensate=UNDO, dependencies=["one"])]
    inner = wp.make_agent(world.operator.id, inner, inputs=INPUTS)
    ran = []
    for (seed, document), _ in zip(documents(str(inner)), range(EXAMPLES), strict=False):
        agent = wp.make_agent(world.operator.id, document.pop("steps"), **document)
        asked = starts.Start(mode="test", inputs=GIVEN)
        ran.append((seed, agent, starts.start(agent, asked, **owner)))
    ended = [end(database, real) for _, _, real in ran]
    begun = [simulations.begin(one, simulations.Asked(GIVEN), **owner) for _, one, _ in ran]
    for (seed, _, real), found, one in zip(ran, ended, begun, strict=True):
        (simulated,) = shown(world, one).executions
        assert end(database, simulated["id"]) == found, seed
        steps, again = trace(database, real), trace(database, simulated["id"])
        for place in steps.keys() | again.keys():
            assert again.get(place) == steps.get(place), (seed, place)
        bounds = shown(world, one)
        taken = len({path for path, _ in steps})
        assert taken <= bounds.here.most <= bounds.most.most, seed
