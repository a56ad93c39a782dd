"""What changed since the same step was approved last: seen beside what would happen."""

import re

import pytest

from tests.engine import worker_process as wp
from tests.views.test_approvals import decide

STEPS = [
    {"id": "ask", "type": "human_approval", "title": "Keep it?", "approvers": ["role:approver"]},
    {
        "id": "keep",
        "type": "action",
        "plugin": "tables",
        "action": "append_rows",
        "params": {"table": "log", "rows": "{{inputs.rows}}"},
        "dependencies": ["ask"],
    },
]
INPUTS = {"type": "object", "properties": {"rows": {"type": "array"}}}


@pytest.fixture
def ask(database, redis_url, config, world, superuser):
    """Give `ask(agent, rows)`: the page's address of an approval that waits."""

    def ask(agent, rows):
        execution = wp.start(agent, world.operator.id, rows=rows)
        wp.wait_for(database, execution, {"waiting"})
        query = "SELECT id FROM approval WHERE execution_id = %s"
        return f"/approvals/{superuser.execute(query, [execution]).fetchone()[0]}"

    with wp.working(wp.config(database, redis_url, config.data)):
        wp.switch_on()
        yield ask


def test_it_says_what_changed_since_it_was_approved_last(ask, world, browse, superuser):
    approver = browse(world.approver)
    agent, another = (wp.make_agent(world.operator.id, STEPS, inputs=INPUTS) for _ in range(2))
    first = ask(agent, [{"name": "Ann", "pays": 1}])
    assert "Since it was approved last" not in approver.get(first).text
    assert decide(approver, first, "approve").status_code == 303
    page = approver.get(ask(agent, [{"name": "Ann", "pays": 1}])).text
    assert "Nothing changed" in page
    assert f'<a href="{first}">Approved by {world.approver.email.partition("@")[0].title()}' in page
    changed = ask(agent, [{"name": "Ann", "pays": 9}])
    page = approver.get(changed).text
    assert re.search("<del>- +&#34;pays&#34;: 1</del>", page)
    assert re.search("<ins>\\+ +&#34;pays&#34;: 9</ins>", page)
    assert approver.get(f"{changed}.json").json["approved_before"]["changes"]
    other = approver.get(ask(another, [{"name": "Ann", "pays": 1}])).text
    assert "Since it was approved last" not in other, "of another agent"
    superuser.execute("UPDATE approval SET approver_ids = '{}' WHERE decision = 'approved'")
    assert "Since it was approved last" not in approver.get(changed).text, "not theirs to see"


def test_what_is_too_large_is_compared_by_its_hash(ask, world, browse):
    approver = browse(world.approver)
    agent = wp.make_agent(world.operator.id, STEPS, inputs=INPUTS)
    rows = [{"name": "x" * 1_000}] * 100
    assert decide(approver, ask(agent, rows), "approve").status_code == 303
    assert "Something may have changed" in approver.get(ask(agent, rows[1:])).text
    assert "Nothing changed" in approver.get(ask(agent, rows)).text
