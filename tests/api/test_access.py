"""Who may do what over the API: tokens, scopes, roles, owners; problems that programs can read."""

from uuid import uuid4

import jsonschema
import pytest

from pilot.api.described import describe
from pilot.engine.people import api_tokens
from pilot.engine.people.api_tokens import Scope
from pilot.views import SCOPES
from tests.engine import worker_process as wp
from tests.security.test_authz import Route

STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}


@pytest.fixture
def operations(app):
    return [
        Route(app, rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
        if rule.endpoint in SCOPES
    ]


def send(program, route):
    return program.client.open(route.url, method=route.method, headers=program.headers, json={})


@pytest.mark.capability(226)
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer plt_x"}, {"Authorization": "x"}])
def test_without_a_token_nothing_is_read(operations, program, header):
    nobody = program(None)
    nobody.headers = header
    for route in operations:
        answer = send(nobody, route)
        assert answer.status_code == 401, route.row
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.mimetype == "application/problem+json"


@pytest.mark.capability(226)
def test_a_token_does_what_its_scopes_name_and_nothing_else(operations, program, world):
    for scope in Scope:
        one = program(world.admin, str(scope))
        for route in operations:
            answer = send(one, route)
            if route.scope == scope:
                assert answer.status_code not in {401, 403}, (scope, route.row)
                assert answer.status_code < 500, route.row
            else:
                assert answer.status_code == 403, (scope, route.row)
                assert route.scope in answer.json["detail"]


def test_a_token_may_not_more_than_its_owner(operations, program, world):
    viewer = program(world.viewer)
    for route in operations:
        if route.scope == Scope.EXECUTIONS_RUN:
            assert send(viewer, route).status_code == 403, route.row


@pytest.mark.capability(226, 279)
def test_what_is_anothers_is_not_there_for_administrators_tokens_too(program, world):
    agent = wp.make_agent(world.operator.id, [STEP])
    execution = wp.start(agent, world.operator.id)
    for person in (world.stranger, world.admin):
        other = program(person)
        for url in (
            f"/agents/{agent}",
            f"/executions/{execution}",
            f"/executions/{execution}/events",
        ):
            assert other.get(url).status_code == 404, (person, url)
        assert other.post(f"/executions/{execution}/cancel").status_code == 404
        assert other.get("/executions").json["items"] == []


def test_a_token_for_one_agent_finds_no_other(program, world):
    mine, other = (wp.make_agent(world.operator.id, [STEP]) for _ in range(2))
    execution = wp.start(other, world.operator.id)
    one = program(world.operator, agent_ids=[mine])
    assert one.get(f"/agents/{mine}").status_code == 200
    for url in (f"/agents/{other}", f"/agents/{other}/versions", f"/executions/{execution}"):
        assert one.get(url).status_code == 404, url
    assert one.post(f"/agents/{other}/executions").status_code == 404
    assert [row["id"] for row in one.get("/agents").json["items"]] == [str(mine)]
    assert one.get("/executions").json["items"] == []


@pytest.mark.parametrize(
    "days", ["since=9999-12-01&until=9999-12-31", "since=0001-01-01&until=0001-01-02"]
)
def test_costs_of_days_at_the_end_of_the_calendar_are_refused(program, world, days):
    answer = program(world.admin).get(f"/costs?{days}")
    assert (answer.status_code, "2000 to 2999" in answer.text) == (422, True)


def test_a_token_for_one_agent_sees_nothing_of_all(program, world):
    mine = wp.make_agent(world.admin.id, [STEP])
    one = program(world.admin, agent_ids=[mine])
    for url in ("/costs", "/audit", "/approvals"):
        assert one.get(url).status_code == 403, url
    assert one.post("/generations", {"goal": "Mail me the news"}).status_code == 403
    assert one.post("/agents", {"name": "More"}).status_code == 403


def test_a_revoked_token_ends_at_once(program, world, superuser):
    one = program(world.operator)
    assert one.get("/agents").status_code == 200
    (token,) = superuser.execute("SELECT id FROM api_token").fetchone()
    api_tokens.revoke(token, owner_id=world.operator.id, by=world.operator.actor)
    refused = one.get("/agents")
    assert refused.status_code == 401
    assert "or pilot token create" in refused.json["detail"]
    assert "tab" not in refused.json["detail"]


def test_a_problem_names_what_is_wrong_and_the_request(program, world):
    answer = program(world.operator).get("/executions?limit=0&colour=red")
    told = answer.json
    assert (answer.status_code, told["status"], told["code"]) == (422, 422, "invalid")
    assert {one["path"] for one in told["errors"]} == {"/limit", "/colour"}
    assert told["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b'{"inputs": NaN}', "application/json", 400),
        (b"x" * 3_000_000, "application/json", 400),
        (b"mode=run", "application/x-www-form-urlencoded", 415),
        (b'{"steps": []}', "application/json", 400),
        (b"[]", "application/json", 422),
    ],
)
def test_a_hostile_body_is_refused(program, world, body, kind, status):
    one = program(world.operator)
    agent = wp.make_agent(world.operator.id, [STEP])
    url = f"/api/v1/agents/{agent}/executions"
    answer = one.client.post(url, data=body, content_type=kind, headers=one.headers)
    assert answer.status_code == status, answer.text[:300]
    assert answer.mimetype == "application/problem+json"


def test_the_description_names_every_operation_with_its_scope(app, operations, program):
    answer = program(None).get("/openapi.json")
    assert answer.json["openapi"].startswith("3.1")
    with app.test_request_context():
        paths = describe()["paths"]
    found = {
        (method.upper(), one["security"][0]["token"][0])
        for path in paths.values()
        for method, one in path.items()
    }
    assert {(route.method, route.scope) for route in operations} == found
    assert sum(len(path) for path in paths.values()) == len(operations)


def test_every_operation_is_described_and_every_body_has_an_example_that_is_right(app):
    with app.test_request_context():
        found = describe()
    models = found["components"]["schemas"]
    bodies = 0
    for path, methods in found["paths"].items():
        for method, one in methods.items():
            assert one["summary"].endswith("."), (path, method)
            assert "429" in one["responses"], (path, method)
            content = one.get("requestBody", {}).get("content", {}).values()
            for schema in (models[each["schema"]["$ref"].rpartition("/")[2]] for each in content):
                bodies += 1
                assert schema["description"], (path, method)
                (given,) = schema["examples"]
                jsonschema.validate(given, schema | {"components": found["components"]})
    assert bodies >= 10
    ids = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    assert len(set(ids)) == len(ids)


def test_an_unknown_id_is_not_found(program, world):
    assert program(world.operator).get(f"/executions/{uuid4()}").status_code == 404
