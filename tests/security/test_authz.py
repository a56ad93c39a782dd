"""Every route with every role: refused or let in as tests/authz_matrix.yaml says."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from pilot import db
from pilot.engine.people.levels import ROLES, Level
from pilot.views import PERMISSIONS, SCOPES
from tests.pages import Browser
from tests.written import read

MATRIX = read(Path(__file__).parent.parent / "authz_matrix.yaml")
PEOPLE = ("admin", "operator", "approver", "viewer")
NOTHING = UUID("0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b")


SIGNED = "POST /hooks/<token>"  # no session: its requests are signed


class Route:
    """One method of one rule, with a URL of something that does not exist."""

    def __init__(self, app, rule, method):
        self.row = f"{method} {rule.rule}"
        self.method = method
        self.level = PERMISSIONS.get(rule.endpoint)
        self.scope = SCOPES.get(rule.endpoint)  # of the API: cookies open nothing there
        values = {name: self._value(rule, name) for name in rule.arguments}
        with app.test_request_context():
            self.url = app.url_for(rule.endpoint, **values)

    @staticmethod
    def _value(rule, name):
        kind = type(rule._converters[name]).__name__
        return {"UUIDConverter": NOTHING, "IntegerConverter": 987_654}.get(kind, "nothing")

    def send(self, browser, **more):
        """Return the answer, its body unread: a stream would not end."""
        if self.method != "GET":
            more = {"data": {"csrf_token": browser.kept_token()}} | more
        with browser.client.open(self.url, method=self.method, buffered=False, **more) as answer:
            return answer


@pytest.fixture
def routes(app):
    """Give every route that the application has."""
    return [
        Route(app, rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
    ]


@pytest.mark.capability(226)
def test_the_matrix_names_every_route_and_its_level(routes):
    assert {route.row: route.level and route.level.value for route in routes} == MATRIX


@pytest.mark.capability(226)
def test_anonymous_visitors_reach_public_routes_only(routes, app):
    for route in routes:
        answer = route.send(Browser(app, None))
        if route.level is Level.PUBLIC:
            assert answer.status_code not in {401, 403}, route.row
        elif route.method == "GET" and not route.url.endswith(".json") and not route.scope:
            assert answer.status_code == 303, route.row
            assert answer.location.startswith("/sign-in"), route.row
        else:
            assert answer.status_code == 401, route.row


@pytest.mark.capability(226)
@pytest.mark.parametrize("role", PEOPLE)
def test_a_role_reaches_what_its_level_includes(routes, app, world, superuser, role):
    someone, refused = getattr(world, role), 0
    browser = Browser(app, someone.sign_in())
    for route in routes:
        if route.scope:
            assert route.send(browser).status_code == 401, route.row
            continue
        answer = route.send(browser)
        if route.level in ROLES[role] | {Level.PUBLIC, Level.SIGNED_IN}:
            assert answer.status_code not in {401, 403}, route.row
            assert answer.status_code < 500 or route.url == "/healthz", route.row
        else:
            assert answer.status_code == 403, route.row
            refused += 1
        if "/account" in route.url or "/sign-" in route.url:  # it may have signed this browser out
            browser = Browser(app, someone.sign_in())
    denied = "SELECT count(*) FROM audit WHERE event = 'SECURITY_UNAUTHORIZED_ACCESS'"
    assert superuser.execute(denied).fetchone()[0] == refused


@pytest.mark.parametrize("headers", [{}, {"Origin": "null"}, {"Origin": "https://evil.test"}])
def test_no_unsafe_route_acts_without_the_token_of_the_session(routes, app, world, headers):
    browser = Browser(app, world.admin.sign_in())
    for route in routes:
        if route.method != "GET" and not route.scope and route.row != SIGNED:
            answer = route.send(browser, data={}, headers=headers)
            assert answer.status_code == 403, route.row
    assert browser.get("/account").status_code == 200  # not signed out either


def test_a_text_that_parses_as_json_is_no_form(routes, app, world):
    browser = Browser(app, world.admin.sign_in())
    body = f'{{"csrf_token": "{browser.kept_token()}", "name": "x", "a": "=b"}}'
    for route in routes:
        if route.method != "GET" and not route.scope and "/hooks/" not in route.url:
            answer = route.send(browser, data=body, content_type="text/plain")
            assert answer.status_code == 403, route.row


def test_other_methods_are_refused_or_change_nothing(routes, app, world):
    browser = Browser(app, world.admin.sign_in())
    for route in routes:
        for method in ("HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH"):
            with browser.client.open(route.url, method=method, buffered=False) as answer:
                assert answer.status_code < 500 or route.url == "/healthz", (method, route.row)
                if method in {"TRACE", "PUT", "DELETE", "PATCH"}:
                    assert answer.status_code in {400, 401, 403, 404, 405}, (method, route.row)
                assert "Access-Control-Allow-Origin" not in answer.headers


def counts():
    with db.reading(None, sees_all=True) as session:
        tables = session.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace"
            )
        ).all()
        return {name: session.scalar(text(f'SELECT count(*) FROM "{name}"')) for name in tables}  # noqa: S608


@pytest.mark.capability(307)
def test_reading_changes_nothing(routes, app, world):
    browser = Browser(app, world.admin.sign_in())
    before = counts()
    for route in routes:
        if route.method == "GET":
            route.send(browser)
    assert counts() == before
