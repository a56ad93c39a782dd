"""What a preview says of an action on many is what then becomes of each."""

from decimal import Decimal

import pytest

from pilot.engine.agents import sharing
from pilot.engine.life import bulk
from pilot.engine.life.bulk import Action
from tests.engine.life.test_bulk import ask, became, do_all, make, preview, statuses

__all__ = ["make"]
WORDS = {
    Action.CANCEL: {"Already ended: completed": 1, "Ends already: cancelling": 1},
    Action.PAUSE: {"Rests already: needs attention": 2, "Already ended: failed": 4},
    Action.RESUME: {
        "Goes on by itself: waits for other work": 1,
        "A step's outcome is unknown: answer it first": 1,
        "A paused execution started it: resume that one": 1,
        "Its agent was archived": 1,
    },
    Action.RETRY: {
        "Nothing failed: cancelled": 1,
        "Its finished steps were undone": 1,
        "Its outputs were deleted after a while": 1,
        "Nothing failed in it": 1,
        "Its agent was archived": 1,
    },
}


@pytest.fixture
def each(make, world, superuser):
    """Make executions of each status, and with each other hindrance."""
    me = world.operator
    for status in ("queued", "running", "waiting", "paused", "budget_paused", "needs_attention"):
        make(me, status)
    for status in ("cancelling", "completed", "completed_with_errors", "failed", "cancelled"):
        make(me, status)
    attempt = (
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence, "
        "started_at) VALUES (%s, 'a', 1, %s, 'transform', %s, 1, pilot_now())"
    )
    superuser.execute(attempt, [*make(me, "needs_attention"), me.id, "unknown"])
    superuser.execute(attempt, [*make(me, "completed_with_errors"), me.id, "failed"])
    (parent,), (child,) = make(me, "running"), make(me, "paused")
    superuser.execute(
        "UPDATE execution SET pause_requested_at = pilot_now() WHERE id = %s", [parent]
    )
    superuser.execute("UPDATE execution SET parent_id = %s WHERE id = %s", [parent, child])
    undone, pruned = make(me, "failed", 2)
    superuser.execute("UPDATE execution SET compensation = 'begun' WHERE id = %s", [undone])
    superuser.execute("UPDATE execution SET pruned_at = pilot_now() WHERE id = %s", [pruned])


@pytest.fixture
def shared(make, world, superuser):
    """Make executions of others, and return them: of an archived agent; only to be looked at."""
    archived = make(world.stranger, "failed") + make(world.stranger, "paused")
    seen = make(world.admin, "paused", 2)
    for owner, level in ((world.stranger, "run"), (world.admin, "read")):
        agent = make.agents[owner.id]
        sharing.share(agent, world.operator.email, level, by=owner.actor, user_id=owner.id)
    gone = "UPDATE agent SET deleted_at = pilot_now() WHERE id = %s"
    superuser.execute(gone, [make.agents[world.stranger.id]])
    return archived, seen


@pytest.mark.capability(287)
@pytest.mark.parametrize("action", list(Action))
def test_the_preview_counts_what_then_becomes_of_each(action, each, shared, world, superuser):
    archived, seen = shared
    found = preview(action, world.operator)
    made = ask(action, world.operator)
    do_all()
    bulk.look()
    final, counted = became(made, world.operator)
    assert final
    assert counted["done", ""] == found.can.count > 0
    skipped = sum(count for (status, _), count in counted.items() if status == "skipped")
    assert skipped == found.matched - found.can.count > 0
    assert sum(counted.values()) == found.matched
    assert statuses(superuser, seen) == {"paused": 2}
    if action in {Action.RESUME, Action.RETRY}:
        assert statuses(superuser, archived) == {"failed": 1, "paused": 1}
    words = {one.words: one.count for one in found.cannot}
    assert words["Shared with you only to look at"] == 2
    assert {name: words.get(name) for name in WORDS[action]} == WORDS[action]


def test_what_is_reserved_for_a_call_counts_once(make, world, superuser):
    top, child, _ = make(world.operator, "running", 3)
    superuser.execute("UPDATE execution SET parent_id = %s WHERE id = %s", [top, child])
    superuser.execute("UPDATE execution SET reserved_usd = 0.5")
    found = preview(Action.CANCEL, world.operator)
    assert (found.can.count, found.reserved_usd) == (3, 1)
    superuser.execute("UPDATE execution SET detached = true WHERE id = %s", [child])
    assert preview(Action.CANCEL, world.operator).reserved_usd == Decimal("1.5")
    superuser.execute(
        "UPDATE execution SET detached = false, status = 'failed' WHERE id = %s", [top]
    )
    assert preview(Action.CANCEL, world.operator).reserved_usd == 1
