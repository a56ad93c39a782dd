"""Every `massassign` and `jsonbomb` body to every operation of the API, bombs to forms too."""

import json
import re
import time
from uuid import UUID

import pytest

from pilot.views import SCOPES
from tests import bombs
from tests.engine import worker_process as wp
from tests.security.attacks.cases import literals
from tests.security.test_authz import counts

MASS = {name: json.dumps(body).encode() for name, body in literals("massassign").items()}
BOMBS = {name: text.encode() for name, text in literals("jsonbomb").items()} | {
    "jsonbomb-11": b"\xff\xfe",
    "jsonbomb-12": '{"id": 1}'.encode("utf-16"),
    "jsonbomb-13": b"\xef\xbb\xbf{}",
    "jsonbomb-22": b"",
}
LARGE = {"jsonbomb-14": bombs.many_keys, "jsonbomb-15": bombs.many_zeros}
STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]
NOTHING = UUID("0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b")
FORMS = ("/sign-in", "/agents/new", "/account/zone", "/system-config/pilot", "/no-such-page")
MOST_S = 0.5  # of the processor


@pytest.fixture
def operations(app):
    """Give the paths of all operations that write, of things that do not exist."""
    return [
        re.sub(r"<int[^>]*>", "1", re.sub(r"<uuid:\w+>", str(NOTHING), rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint in SCOPES and "POST" in rule.methods
    ]


def protected(superuser):
    """Return what no body may change: people, settings, owners, states."""
    tables = {
        "app_user": "t::text",
        "setting": "t::text",
        "agent": "(id, owner_id, name, active, created_at)::text",
        "execution": "(id, owner_id, status, budget_usd)::text",
        "generation": "(id, owner_id)::text",
    }
    return {
        name: superuser.execute(f"SELECT {what} FROM {name} t ORDER BY 1").fetchall()  # noqa: S608
        for name, what in tables.items()
    }


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", MASS)
def test_a_field_of_the_server_is_refused_by_every_operation(program, world, operations, name):
    one = program(world.admin)
    before = counts()
    for path in operations:
        answer = one.client.post(
            path, data=MASS[name], content_type="application/json", headers=one.headers
        )
        assert answer.status_code in {400, 422}, path
    assert counts() == before


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", MASS)
def test_a_field_of_the_server_changes_nothing_in_a_form(browse, world, superuser, name):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, STEPS)
    execution = wp.start(agent, world.operator.id)
    victim = str(world.viewer.id)
    fields = {
        key: str(value).replace("<victim>", victim)
        for key, value in literals("massassign")[name].items()
    }
    browser = browse(world.admin)
    before = protected(superuser)
    for path in (
        f"/agents/{agent}/details",
        f"/agents/{agent}/inputs",
        f"/executions/{execution}/budget",
        f"/executions/{execution}/answer",
        "/account/zone",
        "/account/tokens",
        "/system-config/pilot",
    ):
        answer = browser.post(path, fields)
        assert answer.status_code < 500, path
    assert protected(superuser) == before


def quick(send):
    """Return the answer of the fastest of three, by processor time: a busy machine is no hole."""
    taken = []
    for _ in range(3):
        start = time.thread_time()
        answer = send()
        taken.append(time.thread_time() - start)
        if taken[-1] < MOST_S:
            return answer
    raise AssertionError(f"took {min(taken):.2f} s")


def bomb(name):
    return LARGE[name]() if name in LARGE else BOMBS[name]


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", [*BOMBS, *LARGE])
def test_a_bomb_is_refused_by_every_operation(program, world, operations, name):
    one, data = program(world.admin), bomb(name)

    def send(path):
        kind = "application/json"
        return one.client.post(path, data=data, content_type=kind, headers=one.headers)

    for path in operations:
        answer = quick(lambda path=path: send(path))
        assert answer.status_code in {400, 404, 413, 422}, path
        assert answer.mimetype == "application/problem+json", path


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", [*BOMBS, *LARGE])
def test_a_bomb_sent_to_a_form_is_refused(browse, world, name):
    browser, data = browse(world.admin), bomb(name)
    token = browser.csrf_token()
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
        for path in FORMS:
            headers = {"X-CSRFToken": token, "Content-Type": kind}
            answer = quick(
                lambda path=path, headers=headers: browser.client.post(
                    path, data=data, headers=headers
                )
            )
            assert 400 <= answer.status_code < 500, (path, kind)


@pytest.mark.capability(277)
def test_a_form_of_100_000_fields_is_refused(browse, world):
    browser = browse(world.admin)
    body = "&".join(f"f{number}=1" for number in range(100_000))
    headers = {"X-CSRFToken": browser.csrf_token()}
    kind = "application/x-www-form-urlencoded"
    for path in FORMS:
        answer = quick(
            lambda path=path: browser.client.post(
                path, data=body, content_type=kind, headers=headers
            )
        )
        assert answer.status_code in {404, 413}, path


@pytest.mark.capability(277)
def test_a_number_of_twenty_digits_in_an_address_is_no_fault(browse, program, world):
    agent = wp.make_agent(world.operator.id, STEPS)
    big = "9" * 20
    browser, one = browse(world.admin), program(world.operator)
    for path in (f"/agents/{agent}/workflow/{big}", f"/agents/{agent}/workflow/{big}/download"):
        assert browser.get(path).status_code == 404
    assert browser.post(f"/system-config/changes/{big}/undo").status_code == 404
    assert browser.get(f"/agents?size={big}&after={big}").status_code == 200
    for query in (f"limit={big}", f"before={big}"):
        assert one.get(f"/agents/{agent}/versions?{query}").status_code == 422
