"""One action for all that match: each once, whatever dies meanwhile, and nobody else's."""

from collections import Counter
from functools import partial

import pytest

from pilot import db
from pilot.engine.agents import sharing
from pilot.engine.life import bulk, executions
from pilot.engine.life.bulk import Action, Asked
from pilot.engine.upkeep import retention
from pilot.errors import ConflictError, ForbiddenError, InvalidError
from pilot.failpoints import InjectedFaultError
from pilot.reports import bulk as report
from pilot.reports.executions import Filters, matching
from tests.engine import worker_process as wp
from tests.engine.together import at_once
from tests.engine.upkeep.test_retention import days
from tests.processes import run_until_killed

__all__ = ["days"]
STEP = wp.put("a", 1)
COLUMNS = """owner_id, agent_id, agent_name, version_id, version_number, runs, runs_reason, mode,
  started_by, inputs, settings, settings_version, zone, deadline_at"""
MANY = 120  # more than any page shows
SOME = 60  # more than two looks act on


@pytest.fixture
def who(world):
    return {"by": world.operator.actor, "user_id": world.operator.id}


@pytest.fixture
def make(superuser):
    """Give `make(person, status, count)`: executions of an agent of theirs, held by nobody."""
    wp.switch_on()
    agents = {}

    def make(person, status="paused", count=1):
        if person.id not in agents:
            agents[person.id] = wp.make_agent(person.id, [STEP])
        first = wp.start(agents[person.id], person.id)
        error = '{"message": "It broke."}' if status == "failed" else None
        made = superuser.execute(
            f"INSERT INTO execution ({COLUMNS}, status, error) "  # noqa: S608 - constants
            f"SELECT {COLUMNS}, %s, %s FROM execution, generate_series(1, %s) WHERE id = %s "
            "RETURNING id",
            [status, error, count, first],
        ).fetchall()
        superuser.execute("DELETE FROM event WHERE execution_id = %s", [first])
        superuser.execute("DELETE FROM execution WHERE id = %s", [first])
        return [one for (one,) in made]

    make.agents = agents
    return make


@pytest.fixture
def installed(database, redis_url, tmp_path):
    return wp.config(db.dsn(database), redis_url, tmp_path)


def ask(action, person, filters=None, *, sees_all=False, **more):
    """Ask for an action as a page does, and return its id."""
    filters = filters or Filters()
    asked = Asked(action, partial(matching, filters=filters), filters.chosen(), **more)
    return bulk.begin(asked, by=person.actor, user_id=person.id, sees_all=sees_all)


def preview(action, person, filters=None, *, sees_all=False):
    narrowed = partial(matching, filters=filters or Filters())
    with db.reading(person.id, sees_all=sees_all) as session:
        return report.preview(session, action, narrowed)


def do_all():
    while bulk.look():
        pass


def became(bulk_id, person, *, sees_all=False):
    """Return how many became what, and why."""
    with db.reading(person.id, sees_all=sees_all) as session:
        shown = report.shown(session, bulk_id)
    return shown.final, Counter({(one.status, one.words): one.count for one in shown.groups})


def statuses(superuser, ids=None):
    rows = superuser.execute("SELECT id, status FROM execution").fetchall()
    return Counter(status for one, status in rows if ids is None or one in ids)


def recorded(superuser, event):
    """Return how often an event stands in the trail, by what it happened to."""
    query = "SELECT record::json #>> '{object,id}' FROM audit WHERE event = %s"
    return Counter(one for (one,) in superuser.execute(query, [event]))


@pytest.mark.capability(287)
def test_all_that_match_are_cancelled_and_nothing_else(make, world, superuser):
    mine, other = make(world.operator, count=MANY), make(world.operator, "budget_paused")
    foreign, ended = make(world.stranger, count=3), make(world.operator, "completed", 7)
    found = preview(Action.CANCEL, world.operator, Filters(status="paused"))
    assert (found.matched, found.can.count, found.cannot) == (MANY, MANY, [])
    made = ask(Action.CANCEL, world.operator, Filters(status="paused"))
    assert statuses(superuser, mine) == {"paused": MANY}  # nothing happens in the request itself
    do_all()
    bulk.look()
    assert statuses(superuser, mine) == {"cancelled": MANY}
    assert statuses(superuser, other + foreign) == {"budget_paused": 1, "paused": 3}
    assert statuses(superuser, ended) == {"completed": 7}
    assert became(made, world.operator) == (True, {("done", ""): MANY})
    assert recorded(superuser, "PILOT_EXECUTION_CANCELLED") == {str(one): 1 for one in mine}
    assert recorded(superuser, "PILOT_BULK_STARTED") == {str(made): 1}
    query = "SELECT DISTINCT record::json ->> 'actor' FROM audit WHERE event LIKE '%CANCELLED'"
    assert superuser.execute(query).fetchall() == [(world.operator.actor.name,)]


@pytest.mark.capability(287)
def test_what_comes_to_match_later_is_not_meant(make, world, superuser):
    early = make(world.operator, count=3)
    found = preview(Action.CANCEL, world.operator, Filters(status="paused"))
    late = make(world.operator, count=2)
    seen = {"as_of": found.as_of, "previewed": found.matched}
    made = ask(Action.CANCEL, world.operator, Filters(status="paused"), **seen)
    after = make(world.operator, count=2)
    do_all()
    assert statuses(superuser, early) == {"cancelled": 3}
    assert statuses(superuser, late + after) == {"paused": 4}
    assert became(made, world.operator)[1] == {("done", ""): 3}


@pytest.mark.capability(287)
def test_more_than_were_looked_at_are_refused_and_fewer_are_told(make, world, superuser):
    early, running = make(world.operator, count=3), make(world.operator, "running", 2)
    narrowed = Filters(status="paused")
    found = preview(Action.CANCEL, world.operator, narrowed)
    seen = {"as_of": found.as_of, "previewed": found.matched}
    superuser.execute("UPDATE execution SET status = 'paused' WHERE id = ANY(%s)", [running])
    with pytest.raises(ConflictError, match="5 executions match now, 3 when you looked"):
        ask(Action.CANCEL, world.operator, narrowed, **seen)
    assert not bulk.look()
    assert statuses(superuser, early) == {"paused": 3}
    superuser.execute("UPDATE execution SET status = 'completed' WHERE id = ANY(%s)", [running])
    superuser.execute("UPDATE execution SET status = 'completed' WHERE id = %s", [early[0]])
    made = ask(Action.CANCEL, world.operator, narrowed, **seen)
    with db.reading(world.operator.id) as session:
        row = report.shown(session, made).row
    assert (row.previewed, row.matched) == (3, 2)


@pytest.mark.capability(287)
def test_what_ended_meanwhile_is_skipped_with_its_reason(make, world, superuser):
    ids = make(world.operator, count=5)
    made = ask(Action.CANCEL, world.operator)
    superuser.execute("UPDATE execution SET status = 'completed' WHERE id = ANY(%s)", [ids[:2]])
    do_all()
    bulk.look()
    assert became(made, world.operator) == (
        True,
        {("done", ""): 3, ("skipped", "It is completed: it cannot be cancelled."): 2},
    )


@pytest.mark.capability(287)
def test_pressed_twice_it_is_asked_for_once(make, world, superuser, who):
    make(world.operator, count=4)
    asked = Asked(Action.PAUSE, partial(matching, filters=Filters()), {})
    superuser.execute("UPDATE execution SET status = 'queued'")
    first, *others = at_once(*[partial(bulk.begin, asked, **who, key="pressed")] * 3)
    assert others == [first] * 2
    assert superuser.execute("SELECT count(*) FROM bulk_item").fetchone() == (4,)
    do_all()
    assert bulk.begin(asked, **who, key="pressed") == first
    assert recorded(superuser, "PILOT_EXECUTION_PAUSED").total() == 4


@pytest.mark.capability(287)
def test_several_workers_act_once_on_each(make, world, superuser):
    ids = make(world.operator, "failed", MANY)
    made = ask(Action.RETRY, world.operator, Filters(status="failed"))
    while any(at_once(*[bulk.look] * 3)):
        pass
    bulk.look()
    assert statuses(superuser, ids) == {"queued": MANY}
    assert recorded(superuser, "PILOT_EXECUTION_RETRIED") == {str(one): 1 for one in ids}
    assert became(made, world.operator) == (True, {("done", ""): MANY})


@pytest.mark.capability(287)
def test_a_worker_with_an_old_list_acts_on_none_again(make, world, superuser):
    make(world.operator)
    ask(Action.RESUME, world.operator)
    with db.reading(None) as session:
        (old,) = session.execute(bulk.DUE, {"bulks": 1, "items": 1}).all()
    do_all()
    assert statuses(superuser) == {"queued": 1}
    superuser.execute("UPDATE execution SET status = 'paused'")  # somebody else, later
    bulk._act(old)
    assert statuses(superuser) == {"paused": 1}
    assert recorded(superuser, "PILOT_EXECUTION_RESUMED").total() == 1


@pytest.mark.crash
@pytest.mark.capability(287)
@pytest.mark.parametrize(
    "point",
    [
        "act.before_commit:20",
        "act.after_commit:41",
        "between_items:26",
        "skip.before_commit:2",
        "finish.before_commit:1",
    ],
)
def test_a_worker_killed_half_way_loses_none_and_does_none_twice(
    point, make, world, superuser, installed
):
    ids, ended = make(world.operator, count=SOME), make(world.operator, "completed", 5)
    made = ask(Action.CANCEL, world.operator)
    run_until_killed(
        DATABASE_URL=installed.database_url,
        REDIS_URL=installed.redis_url,
        PILOT_DATA=str(installed.data),
        PILOT_FAILPOINT=f"bulk.{point}:kill9",
    )
    assert not became(made, world.operator)[0]
    assert 0 < statuses(superuser, ids)["cancelled"] <= SOME
    with wp.working(installed):
        wp.until(lambda: became(made, world.operator)[0])
    told = "It is completed: it cannot be cancelled."
    assert became(made, world.operator) == (True, {("done", ""): SOME, ("skipped", told): 5})
    assert statuses(superuser, ended) == {"completed": 5}
    assert recorded(superuser, "PILOT_EXECUTION_CANCELLED") == {str(one): 1 for one in ids}


@pytest.mark.capability(287)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_press_that_dies_on_its_way_counts_once_when_it_is_repeated(
    side, make, world, superuser, monkeypatch, who
):
    make(world.operator, count=2)
    asked = Asked(Action.CANCEL, partial(matching, filters=Filters()), {})

    def die(name):
        if name == f"bulk.begin.{side}_commit":
            raise InjectedFaultError(name)

    with monkeypatch.context() as patch:
        patch.setattr(db, "failpoint", die)
        with pytest.raises(InjectedFaultError):
            bulk.begin(asked, **who, key="pressed")
    assert superuser.execute("SELECT count(*) FROM bulk").fetchone() == (side == "after",)
    made = bulk.begin(asked, **who, key="pressed")
    assert recorded(superuser, "PILOT_BULK_STARTED") == {str(made): 1}
    assert superuser.execute("SELECT count(*) FROM bulk_item").fetchone() == (2,)


def test_what_keeps_failing_is_given_up_and_the_others_are_done(
    make, world, superuser, monkeypatch, days
):
    ids = make(world.operator, count=3)
    made = ask(Action.CANCEL, world.operator)

    def cancel(session, execution_id, by):
        if execution_id == ids[0]:
            raise RuntimeError("a fault")
        executions.cancel_in(session, execution_id, by)

    monkeypatch.setattr(bulk, "ACTS", {Action.CANCEL: cancel})
    for passed in range(bulk.MOST_TRIES):
        days(passed)
        assert not became(made, world.operator)[0]
        do_all()
    bulk.look()
    told = "A fault of Pilot's own (RuntimeError): see the worker's log."
    assert became(made, world.operator) == (True, {("done", ""): 2, ("failed", told): 1})
    assert statuses(superuser, ids) == {"cancelled": 2, "paused": 1}


def test_one_that_is_locked_for_long_is_tried_again(make, world, superuser, servers, days):
    ids = make(world.operator, count=2)
    made = ask(Action.CANCEL, world.operator)
    superuser.autocommit = False
    superuser.execute("SELECT 1 FROM execution WHERE id = %s FOR UPDATE", [ids[0]])
    do_all()
    superuser.rollback()
    superuser.autocommit = True
    told = "Somebody else is changing this right now; try again."
    assert became(made, world.operator) == (False, {("done", ""): 1, ("open", told): 1})
    days(1)
    do_all()
    bulk.look()
    assert became(made, world.operator) == (True, {("done", ""): 2})


@pytest.mark.capability(287)
def test_an_administrator_acts_on_those_of_all_and_only_while_they_are_one(make, world, superuser):
    ids = make(world.operator, count=2) + make(world.stranger, count=2)
    made = ask(Action.CANCEL, world.admin, sees_all=True)
    do_all()
    assert statuses(superuser, ids) == {"cancelled": 4}
    bulk.look()
    assert became(made, world.admin, sees_all=True) == (True, {("done", ""): 4})
    make(world.operator, count=2)
    later = ask(Action.CANCEL, world.admin, sees_all=True)
    superuser.execute("UPDATE app_user SET roles = '{operator}' WHERE id = %s", [world.admin.id])
    do_all()
    assert became(later, world.admin)[1] == {("skipped", bulk.NO_RIGHT): 6}
    assert statuses(superuser)["paused"] == 2


@pytest.mark.capability(287)
def test_who_may_run_a_shared_agent_acts_on_its_executions(make, world, superuser):
    ids = make(world.stranger, count=2)
    agent, owner = make.agents[world.stranger.id], world.stranger
    sharing.share(agent, world.operator.email, "run", by=owner.actor, user_id=owner.id)
    made = ask(Action.CANCEL, world.operator)
    do_all()
    bulk.look()
    assert statuses(superuser, ids) == {"cancelled": 2}
    assert became(made, world.operator) == (True, {("done", ""): 2})


@pytest.mark.capability(287)
def test_nobody_without_the_right_asks_and_nothing_is_asked_for_nothing(
    make, world, superuser, monkeypatch
):
    make(world.viewer)
    with pytest.raises(ForbiddenError):
        ask(Action.CANCEL, world.viewer)
    with pytest.raises(ForbiddenError):
        ask(Action.CANCEL, world.operator, sees_all=True)
    with pytest.raises(InvalidError) as caught:
        ask(Action.CANCEL, world.operator)
    assert [one.message for one in caught.value.issues] == ["No execution matches."]
    make(world.operator, count=3)
    monkeypatch.setattr(bulk, "MOST", 2)
    monkeypatch.setattr(report, "MOST", 2)
    assert preview(Action.CANCEL, world.operator).is_too_many
    with pytest.raises(InvalidError) as caught:
        ask(Action.CANCEL, world.operator)
    assert "More than 2 executions match" in caught.value.issues[0].message
    assert superuser.execute("SELECT count(*) FROM bulk").fetchone() == (0,)


def test_each_is_done_as_if_it_were_done_alone(make, world, superuser):
    alone, many = make(world.operator), make(world.operator)
    executions.resume(alone[0], by=world.operator.actor, user_id=world.operator.id)
    ask(Action.RESUME, world.operator)
    do_all()
    query = "SELECT status, status_reason, admitted, recovery_attempts FROM execution WHERE id = %s"
    rows = [superuser.execute(query, one).fetchall() for one in (alone, many)]
    assert rows[0] == rows[1]
    query = "SELECT kind, path, data::text FROM event WHERE execution_id = %s ORDER BY seq"
    told = [superuser.execute(query, one).fetchall() for one in (alone, many)]
    assert told[0] == told[1] != []


def test_what_was_asked_for_goes_as_executions_do(make, world, superuser, days):
    make(world.operator, count=2)
    ask(Action.CANCEL, world.operator)
    do_all()
    bulk.look()
    days(10_000)
    assert retention.due()["actions on many"] == 1
    assert retention.prune(by=world.admin.actor)["actions on many"] == 1
    assert superuser.execute("SELECT count(*) FROM bulk_item").fetchone() == (0,)
