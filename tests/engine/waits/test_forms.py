"""Forms that are filled in by other parts of Pilot than its pages."""

import pytest

from pilot.engine.waits import forms
from tests.engine import worker_process as wp

FIELDS = {"type": "object", "properties": {"note": {"type": "string"}}}
FORM = {"id": "ask", "type": "form", "title": "Why?", "assignees": ["role:approver"]}


@pytest.mark.capability(205)
@pytest.mark.parametrize("key", [None, "once"])
@pytest.mark.parametrize("mark", ["\0", "\ud800"])
def test_what_no_database_stores_is_replaced_as_in_outputs(
    worker, database, world, superuser, mark, key
):
    step = FORM | {"fields": FIELDS | {"additionalProperties": True}}
    execution = wp.start(wp.make_agent(world.operator.id, [step]), world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    (form,) = superuser.execute("SELECT id FROM approval").fetchone()
    by = {"by": world.approver.actor, "user_id": world.approver.id}
    given = {"note": f"a{mark}b", f"c{mark}": [f"{mark}d"]}
    assert forms.submit(form, given, key=key, **by) == execution
    stored = wp.wait_for(database, execution)[1]["values"]
    assert stored == {"note": "a\ufffdb", "c\ufffd": ["\ufffdd"]}
