"""Schedules in tests: a clock that stands still, one agent, and what fired."""

from datetime import UTC, datetime, timedelta

import pytest

from pilot import jobs, progress, vault
from pilot.engine.life.preflight import UNTOLD
from pilot.engine.triggers import firing, triggers
from pilot.engine.triggers.schedules import Timing
from tests.engine import worker_process as wp
from tests.pages import KEY

STEP = {"id": "it", "type": "transform", "operation": "set", "config": {"value": 1}}
INPUTS = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTELY = Timing(cron="* * * * *")


@pytest.fixture
def set_clock(superuser):
    """Give a function that moves the database's clock to a moment; it stands still otherwise."""

    def to(moment):
        superuser.execute(
            "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql STABLE AS"
            f" $$ SELECT timestamptz '{moment.isoformat()}' $$"
        )

    to(START)
    return to


@pytest.fixture
def timed_agent(world, redis_url):
    jobs.configure(redis_url)
    progress.configure(redis_url)
    vault.configure([KEY])
    wp.switch_on()
    yield wp.make_agent(world.operator.id, [STEP])
    vault.configure([])


@pytest.fixture
def schedule(timed_agent, world, set_clock):
    """Give `schedule(**timing)`: one of the operator's agent, every minute if not told."""

    def make(inputs=None, agent_id=None, **fields):
        timing = Timing(**({} if {"cron", "every_s"} & set(fields) else vars(MINUTELY)) | fields)
        who = {"by": world.operator.actor, "user_id": world.operator.id}
        return triggers.create(agent_id or timed_agent, timing, inputs, **who)

    return make


@pytest.fixture
def pass_time(set_clock):
    """Give `pass_time(*moments)`: at each, workers look until nothing is left to do."""

    def pass_time(*moments):
        for moment in moments:
            set_clock(moment)
            while firing.look(UNTOLD):
                pass

    return pass_time


@pytest.fixture
def fires(superuser):
    """Give the fires so far: minutes and seconds, status and reason."""

    def fires():
        query = "SELECT fire_at, status, reason FROM trigger_fire ORDER BY fire_at"
        return [(f"{at_:%H:%M}", *more) for at_, *more in superuser.execute(query)]

    return fires


@pytest.fixture
def end(superuser):
    """Give `end(status)`: every execution that is under way ends so."""

    def end(status="completed"):
        superuser.execute(
            "UPDATE execution SET status = %s, finished_at = pilot_now() "
            "WHERE finished_at IS NULL OR status = 'cancelling'",
            [status],
        )

    return end


def minutes(*numbers):
    return [START + timedelta(minutes=one) for one in numbers]


def count(superuser, table="execution"):
    return superuser.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608


def events(superuser, like):
    query = "SELECT event FROM audit WHERE event LIKE %s ORDER BY at, seq"
    return [row[0] for row in superuser.execute(query, [like])]
