"""Simulations: the same runner, and nothing of the world."""

import socket
import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from psycopg import sql

from pilot import failpoints, strictjson
from pilot.engine import folders
from pilot.engine.agents import agents
from pilot.engine.approvals import approvals
from pilot.engine.life import starts
from pilot.engine.running.simulation import MADE_UP
from tests.engine import worker_process as wp
from tests.engine.goal_documents import LEADS, ORDER, SUMMARY, TASKS

OPEN = {"type": "object", "additionalProperties": True}
DAY = {"type": "string", "format": "date"}
LATER = {"type": "delay", "for_s": 3 * 86_400}
TABLE = "Task,Priority,End,Name,Stage\nPaint,Critical,2026-01-05,Ann,4\n"


def send(name, **more):
    params = {"to": ["ann@example.com"], "subject": "Hello", "text": "There."}
    step = {"id": name, "type": "action", "plugin": "mail", "action": "send", "params": params}
    return step | more


MIXED = {
    "format": 1,
    "name": "One of each",
    "inputs": OPEN,
    "steps": [
        {
            "id": "each",
            "type": "loop",
            "items": "[1, 2, 3]",
            "steps": [wp.put("twice", "{{item * 2}}"), send("tell")],
        },
        {
            "id": "wide",
            "type": "scatter_gather",
            "items": "steps.each.output.items",
            "steps": [wp.put("one", "{{item}}")],
            "gather": {"operation": "collect"},
        },
        {
            "id": "both",
            "type": "parallel_group",
            "branches": {"left": [wp.put("l", 1)], "right": [send("r")]},
        },
        wp.broken("fails", on_error={"branch": [send("sorry")]}),
    ],
}


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    script = tmp_path / "answers.json"
    script.write_text(strictjson.dumps({"rules": [{"answer": {"summary": "Short."}}]}))
    tables = folders.private(tmp_path, world.operator.id) / "tables"
    tables.mkdir(parents=True)
    for name in ("gantt.csv", "leads.csv", "orders.csv"):
        header = "supplier,amount\n" if name == "orders.csv" else TABLE
        (tables / name).write_text(header)
    inbox = tables.parent / "mail" / world.operator.email / "INBOX" / "new"
    inbox.mkdir(parents=True)
    (inbox / "1").write_bytes(b"From: bea@example.com\r\nSubject: Hi\r\n\r\nHello.\r\n")
    wp.switch_on()
    with wp.working(replace(wp.config(database, redis_url, tmp_path), script=script)) as resident:
        yield resident


@pytest.fixture
def simulate(worker, database, world):
    """Give `simulate(agent, ways, **inputs)`: the execution, once it has ended."""

    def simulate(agent, ways=None, **inputs):
        asked = starts.Start(mode="simulate", inputs=inputs, ways=ways)
        execution = starts.start(agent, asked, by=world.operator.actor, user_id=world.operator.id)
        worker.poke()
        wp.wait_for(database, execution)
        return execution

    simulate.poke = worker.poke
    return simulate


@pytest.fixture
def agent(world):
    def agent(steps, **document):
        return wp.make_agent(world.operator.id, steps, **({"inputs": OPEN} | document))

    return agent


def trace(database, execution):
    return sorted(one[:3] for one in wp.attempts(database, execution))


def stored(folder):
    return {one for one in (folder / "users").rglob("*") if one.is_file()}


def outputs(database, execution):
    return {path: output for path, _, _, output in wp.attempts(database, execution)}


@pytest.mark.capability(251)
@pytest.mark.parametrize(
    "case",
    [
        (TASKS, {}),
        (LEADS, {"people": ["ann@example.com"]}),
        (ORDER, {"amount": 5_000, "supplier": "ACME", "to": "ann@example.com"}),
        (SUMMARY, {}),
        (MIXED, {}),
    ],
    ids=["tasks", "leads", "order", "summary", "mixed"],
)
def test_a_real_run_that_gives_the_same_has_the_same_trace(
    simulate, database, world, superuser, case
):
    document, inputs = case
    text = (
        strictjson.dumps(document).replace("leads.xlsx", "leads.csv").replace(',"tab":"Leads"', "")
    )
    document = {key: part for key, part in strictjson.loads(text).items() if key != "format"}
    made = wp.make_agent(world.operator.id, document.pop("steps"), **document)
    real = wp.start(made, world.operator.id, **inputs)
    simulate.poke()
    wp.wait_for(database, real, wp.END | {"waiting"})
    for one, seen in superuser.execute("SELECT id, payload_hash FROM approval").fetchall():
        who = {"by": world.approver.actor, "user_id": world.approver.id}
        approvals.decide(one, "approved", seen_hash=seen, **who)
        simulate.poke()
        wp.wait_for(database, real)
    again = simulate(made, **inputs)
    assert trace(database, again) == trace(database, real)
    assert wp.row(database, again) == wp.row(database, real)
    assert len(trace(database, real)) >= 3


@pytest.mark.capability(251)
def test_nothing_is_called_sent_written_or_asked(
    simulate, agent, database, superuser, tmp_path, monkeypatch
):
    """One that never ran is made up from schemas; every call of a plugin would be seen."""
    steps = [
        {"id": "page", "type": "action", "plugin": "http", "action": "request"}
        | {"params": {"method": "POST", "url": "http://127.0.0.1:9/{{inputs.n}}", "json": {}}},
        send("tell"),
        {"id": "ask", "type": "ai_processing", "prompt": "Sum up.", "input": "steps.page.output"},
        {"id": "choose", "type": "llm_decision", "prompt": "Which?", "choices": ["b", "a"]},
        {"id": "agree", "type": "human_approval", "title": "Well?", "approvers": ["owner"]},
        {"id": "fill", "type": "form", "title": "When?", "assignees": ["owner"]}
        | {
            "fields": {
                "type": "object",
                "properties": {"day": {"type": "string", "format": "date"}},
            }
        },
        {"id": "paid", "type": "wait_for_event", "event": "paid"}
        | {"schema": {"type": "object", "properties": {"sum": {"type": "integer", "minimum": 7}}}},
    ]
    before = stored(tmp_path)
    dialled = []
    connect = socket.socket.connect

    def seen(this, address):
        if threading.current_thread().name.startswith("step"):
            dialled.append(address)
        return connect(this, address)

    monkeypatch.setattr(socket.socket, "connect", seen)
    made = agent(steps)
    execution = simulate(made, n=1)
    assert wp.row(database, execution)[0] == "completed", wp.row(database, execution)
    assert (dialled, stored(tmp_path)) == ([], before)
    for table in ("approval", "outbox", "call", "wait", "action_use"):
        rows = superuser.execute(sql.SQL("TABLE {}").format(sql.Identifier(table))).fetchall()
        assert rows == [], table
    gave = outputs(database, execution)
    assert gave["page"]["status"] >= 0
    assert gave["choose"]["decision"] == "b"
    assert gave["agree"]["approved"] is True
    assert datetime.fromisoformat(gave["fill"]["values"]["day"])
    assert gave["paid"]["payload"]["sum"] >= 7
    second = outputs(database, simulate(made, n=1))
    del gave["fill"], second["fill"], gave["paid"], second["paid"]  # they tell when
    assert second == gave


def test_a_wrong_call_is_found_without_being_made(simulate, agent, database):
    steps = [send("tell", params={"to": ["{{inputs.who}}"], "subject": "{{inputs.none}}"})]
    status, _, error, _ = wp.row(database, simulate(agent(steps), who="ann@example.com"))
    assert (status, error["class"], error["step"]) == ("failed", "reference", "tell")


def test_days_take_no_time_and_overlap_as_they_would(simulate, agent, database):
    steps = [
        {
            "id": "both",
            "type": "parallel_group",
            "branches": {
                "long": [LATER | {"id": "five", "for_s": 5 * 86_400}],
                "short": [LATER | {"id": "three"}],
            },
        },
        {"id": "after", "type": "transform", "operation": "set", "dependencies": ["both"]}
        | {"config": {"value": "{{execution.date}}"}},
        {"id": "until", "type": "delay", "until": "{{date_add(today(), 2, 'days')}}"}
        | {"dependencies": ["after"]},
    ]
    execution = simulate(agent(steps), ways={})
    assert wp.row(database, execution)[0] == "completed"
    gave = outputs(database, execution)
    ends = {
        path: datetime.fromisoformat(gave[path]["resumed_at"]) for path in ("both/five", "until")
    }
    begun = ends["both/five"] - timedelta(days=5)
    assert gave["both/three"]["waited_s"] == pytest.approx(3 * 86_400, abs=60)
    assert gave["both/five"]["waited_s"] == pytest.approx(5 * 86_400, abs=60)
    assert gave["after"] == (begun + timedelta(days=5)).date().isoformat()
    assert timedelta(days=6) < ends["until"] - begun <= timedelta(days=7, minutes=1)


def test_a_table_that_was_never_read_is_made_up_of_its_columns(simulate, database, world):
    steps = [*TASKS["steps"]]
    made = wp.make_agent(world.operator.id, steps)
    execution = simulate(made)
    assert wp.row(database, execution)[0] == "completed", wp.row(database, execution)
    header, *rows = outputs(database, execution)["read"]["values"]
    assert header == ["Task", "Priority", "End", "Name", "Stage"]
    assert rows == [["Paint", "Critical", "2026-01-05", "Ann", "4"]] * 2


def test_what_would_be_undone_is_undone_without_being_called(simulate, agent, database, tmp_path):
    undo = {key: send("x")[key] for key in ("plugin", "action", "params")}
    steps = [send("tell", compensate=undo), wp.broken("fails", dependencies=["tell"])]
    before = stored(tmp_path)
    execution = simulate(agent(steps))
    found = wp.paths(database, execution)
    assert (wp.row(database, execution)[0], found["tell/undo"]) == ("failed", "completed")
    assert stored(tmp_path) == before


def test_a_deadline_that_would_pass_ends_it(simulate, agent, database):
    steps = [LATER | {"id": "late"}]
    execution = simulate(agent(steps, policies={"deadline_s": 3600}))
    assert wp.row(database, execution)[2]["class"] == "deadline"


SWITCH = {
    "id": "pick",
    "type": "switch",
    "value": "inputs.n",
    "cases": [{"when": n, "steps": [wp.put(f"case_{n}", n)]} for n in (1, 2, 3)],
    "default": [wp.put("other", 0)],
}


ALONE = {"branch": [wp.put("alone", 1)]}
AGREE = {"id": "agree", "type": "human_approval", "title": "?", "approvers": ["owner"]}
WAYS = [
    ({"pick": "case2"}, "pick/case_3"),
    ({"pick": "default"}, "pick/other"),
    (None, "pick/case_1"),
    ({"tell": "on_error"}, "tell/on_error/sorry"),
    ({"agree": "on_timeout"}, "agree/on_timeout/alone"),
]


def test_it_takes_the_way_that_it_is_told(simulate, agent, database):
    sorry = send("tell", on_error={"branch": [wp.put("sorry", 1)]})
    made = agent([SWITCH, sorry, AGREE | {"on_timeout": ALONE}])
    for told, ran in WAYS:
        execution = simulate(made, told, n=1)
        assert wp.paths(database, execution)[ran] == "completed"
        assert wp.row(database, execution)[0] == "completed"


def test_a_recorded_output_is_taken_while_its_step_is_as_it_was(
    simulate, agent, database, world, superuser
):
    def gave(execution):
        query = "SELECT output, notes FROM step_execution WHERE execution_id = %s AND path = 'tell'"
        return superuser.execute(query, [execution]).fetchone()

    made = agent([send("tell"), wp.put("then", 1)])
    real = wp.start(made, world.operator.id)
    simulate.poke()
    wp.wait_for(database, real)
    output, (note,) = gave(simulate(made))
    assert output == gave(real)[0]
    assert note.startswith("Recorded on 20")
    assert str(real) in note
    changed = [send("tell", timeout_s=9), wp.put("then", 1)]
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    document = {"format": 1, "name": "Test", "inputs": OPEN, "steps": changed}
    agents.save_version(made, document, base=1, reason="test", **who)
    assert gave(simulate(made))[1] == [MADE_UP]


CHILD = {"id": "child", "type": "sub_workflow", "steps": [LATER | {"id": "rest"}]}
STAGES = [
    send("tell"),
    LATER | {"id": "wait", "dependencies": ["tell"]},
    {"id": "then", "type": "delay", "until": "{{date_add(today(), 2, 'days')}}"}
    | {"dependencies": ["wait"]},
    CHILD | {"dependencies": ["then"]},
    {"id": "agree", "type": "human_approval", "title": "?", "approvers": ["owner"]}
    | {"dependencies": ["child"]},
]


@pytest.mark.parametrize(
    "point",
    [
        "intent.after_commit:1",
        "wait.after_commit:1",
        "wait.after_commit:4",
        "finish.before_commit:2",
    ],
)
def test_a_simulation_that_goes_on_after_a_crash_ends_the_same(
    simulate, agent, database, monkeypatch, point
):
    made = agent(STAGES)
    whole = simulate(made)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PILOT_FAILPOINT", f"{point}:raise")
    failpoints._armed.cache_clear()
    again = simulate(made)
    armed = failpoints._armed()
    monkeypatch.delenv("PILOT_FAILPOINT")
    failpoints._armed.cache_clear()
    assert armed.passes >= armed.hit
    statuses = wp.paths(database, again)
    assert statuses == wp.paths(database, whole)
    assert set(statuses.values()) == {"completed"}
    first, second = outputs(database, whole), outputs(database, again)
    assert second["tell"] == first["tell"]
    days = [datetime.fromisoformat(one["then"]["resumed_at"]).date() for one in (first, second)]
    assert days[0] == days[1]
