"""Every `crlf`, `csv` and `path` input where texts leave: headers, streams, logs, sheets, files."""

import csv
import io
import json
import re
from urllib.parse import quote

import pytest
import structlog

from pilot import logs
from pilot.engine.agents import agents
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import book
from tests.security.attacks.cases import literals

LINES, CELLS, PATHS = literals("crlf"), literals("csv"), literals("path")
STORED = {name: text for name, text in LINES.items() if "\0" not in text}  # NUL: refused before
STREAMED = re.compile(r"(id: \d+|retry: 2000|event: (done|ping|delayed)|data:.*|)")
FORMULA = re.compile(r"[=+\-@\t\r\n|＝＋－＠]")  # noqa: RUF001 -- full-width signs count too


def steps():
    """Return steps that are called as the inputs and give them as output."""
    value = {"operation": "set", "type": "transform"}
    return [
        value | {"id": f"s{number}", "name": text, "config": {"value": text}}
        for number, text in enumerate(STORED.values())
    ]


@pytest.fixture(scope="module")
def ended(world, database, servers, config):
    """Give an agent and its execution that ended, both full of the `crlf` inputs."""
    wp.switch_on()
    person = world.operator
    name = "".join(STORED.values())[:120]
    body = {"format": 1, "name": name, "steps": steps()}
    agent = agents.create(agents.NewAgent(name), body, owner_id=person.id, by=person.actor).agent_id
    with wp.working(wp.config(database, servers.redis_url, config.data)):
        execution = wp.start(agent, person.id)
        wp.wait_for(database, execution)
    return agent, execution


@pytest.mark.capability(277)
def test_a_stream_stays_one_message_whatever_the_steps_say(ended, browse, world):
    _, execution = ended
    answer = browse(world.operator).client.get(f"/executions/{execution}/stream?after=0")
    text = answer.get_data(as_text=True)
    wrong = [line for line in re.split(r"\r\n|\n|\r", text) if not STREAMED.fullmatch(line)]
    assert wrong == []
    assert len(re.findall(r"^id: ", text, re.MULTILINE)) == 1
    assert "\ndata: owned" not in text
    assert "FAKE LOG" in text


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", LINES)
def test_no_text_adds_a_header(ended, browse, world, name):
    agent, execution = ended
    browser, text = browse(world.operator), LINES[name]
    given = quote(text)
    for url in (
        f"/agents/{agent}/workflow/1/download",
        f"/agents/{agent}/workflow/1/download?as={given}",
        f"/executions/{execution}/output?step={given}",
        f"/agents?q={given}&sort={given}",
        f"/sign-in?next=/{given}",
        f"/{given}",
    ):
        answer = browser.get(url)
        assert answer.status_code in {200, 303, 308, 400, 404}, url
        check_headers(answer)
    for path, field in (
        ("/sign-in", "next"),
        ("/interface/theme", "next"),
        ("/account/zone", "zone"),
    ):
        answer = browser.post(path, {field: f"/{text}", "email": text, "password": text})
        assert answer.status_code < 500, path
        check_headers(answer)


def check_headers(answer):
    for key, value in answer.headers:
        assert (key + value).isprintable()
    assert not (answer.location or "").startswith(("//", "http"))
    assert "a=b" not in str(answer.headers.getlist("Set-Cookie"))


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", LINES)
def test_a_log_line_stays_one_line(capsys, name):
    before = structlog.get_config()
    logs.configure()
    structlog.get_logger().info("seen", text=LINES[name])
    structlog.configure(**before)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["text"] == LINES[name]
    assert line.isascii() or line.isprintable()


@pytest.mark.capability(277, 309)
@pytest.mark.parametrize("name", CELLS)
def test_a_sheet_calculates_nothing(browse, program, world, superuser, name):
    wp.switch_on()
    text, person = CELLS[name], world.admin
    step = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
    agent = wp.make_agent(person.id, [step])
    wp.start(agent, person.id)
    superuser.execute("UPDATE agent SET name = %s, goal = %s, tags = %s", [text, text, [text]])
    superuser.execute("UPDATE execution SET agent_name = %s", [text])
    superuser.execute("UPDATE app_user SET name = %s", [text])
    book(superuser, person.id, cost="0.25", agent_id=agent, model_billed=text, reason=text)
    browser, one, found = browse(person), program(person), 0
    pages = ("agents", "executions", "audit", "costs", "approvals", "prices", "users")
    sheets = [(browser, page) for page in pages]
    sheets += [(one, page) for page in ("executions", "calls", "costs")]
    for client, page in sheets:
        answer = client.get(f"/{page}.csv")
        assert answer.status_code == 200
        assert answer.mimetype == "text/csv"
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        assert len({len(row) for row in rows}) <= 1, page
        cells = [cell for row in rows for cell in row]
        numbers = re.compile(r"-?[0-9.,]+")
        assert not [one for one in cells if FORMULA.match(one) and not numbers.fullmatch(one)], page
        found += sum(cell in {text, f"'{text}"} for cell in cells)
    assert found >= 3
    line = next(csv.DictReader(io.StringIO(one.get("/calls.csv").text, newline="")))
    assert (line["cost_usd"], line["input_tokens"]) == ("0.250000000000", "1000")


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", PATHS)
def test_no_address_leaves_its_folder(browse, program, world, name):
    browser, one = browse(world.admin), program(world.admin)
    for given in {PATHS[name], quote(PATHS[name]), quote(PATHS[name], safe="")}:
        for place in (
            "/static/",
            "/prices/",
            "/system-config/",
            "/agents/",
            "/",
            "/api/v1/agents/",
        ):
            answer = browser.get(place + given)
            assert answer.status_code in {303, 308, 400, 401, 404}, (place, given)
            assert "root:" not in answer.text
            assert "create_app" not in answer.text
        assert one.get(f"/executions/{given}").status_code in {308, 400, 404}
    document = {"format": 1, "steps": [{"id": PATHS[name], "type": "transform"}]}
    assert one.post("/workflows/validate", {"document": document}).status_code in {200, 400}
