import re
from dataclasses import replace

import pytest

from pilot import db
from pilot.errors import ConfigError
from pilot.views import ADMIN, OPERATE, PERMISSIONS, SIGNED_IN, VIEW, Level, Visitor
from pilot.web import create_app
from pilot.web.navigation import page_modules
from tests.pages import PARTIAL, Browser

POLICY = (
    "default-src 'none'; script-src 'nonce-{}' 'strict-dynamic'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx"
)


def nonce_of(response):
    return re.search(r"'nonce-([^']+)'", response.headers["Content-Security-Policy"])[1]


@pytest.mark.parametrize(
    "path",
    [
        "/no-such-page",
        "/lab/error/boom",
        "/lab/error/boom.json",
        "/lab/stream",
        "/lab/save",
        "/static/app.css",
        "/static/none.css",
        "/lab/error/conflict",
        "/interface/theme",
    ],
)
def test_every_answer_carries_the_policy_and_the_headers(browse, path):
    response = browse().get(path)
    assert response.headers["Content-Security-Policy"] == POLICY.format(nonce_of(response))
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["X-Request-Id"]
    assert "Strict-Transport-Security" not in response.headers


def test_each_answer_has_its_own_nonce_and_its_scripts_carry_it(browse):
    browser = browse()
    first, second = browser.get("/no-such-page"), browser.get("/no-such-page")
    assert nonce_of(first) != nonce_of(second)
    scripts = re.findall(r"<script([^>]*)>", first.text)
    assert len(scripts) == 4
    assert all(f'nonce="{nonce_of(first)}"' in script for script in scripts)


@pytest.mark.parametrize(
    ("path", "headers", "rule"),
    [
        ("/lab/error/conflict", {}, "private, no-cache"),
        ("/lab/error/conflict", PARTIAL, "no-store"),
        ("/lab/stream", {}, "no-store"),
        ("/static/app.css", {}, "no-cache"),
        ("/static/app.css?v=0", {}, "public, max-age=31536000, immutable"),
        ("/static/none.css?v=0", {}, "private, no-cache"),
    ],
)
def test_caches_keep_hashed_files_only(browse, path, headers, rule):
    assert browse().get(path, headers=headers).headers["Cache-Control"] == rule


def test_pages_and_fragments_of_one_url_are_kept_apart(browse):
    assert "HX-Request-Type" in browse().get("/no-such-page").headers["Vary"]


def test_under_https_cookies_are_locked_to_the_host(world, config):
    app = create_app(replace(config, public_url="https://pilot.example"))
    response = Browser(app, None).get("/no-such-page", base_url="https://pilot.example")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-pilot-page-")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_two_instances_on_one_host_use_cookies_of_their_own(world, config):
    names = {
        create_app(replace(config, secret_keys=(key,))).config["SIGN_IN_COOKIE"]
        for key in ("one", "two")
    }
    assert len(names) == 2


def test_without_keys_it_says_what_to_do(world, config):
    with pytest.raises(ConfigError, match="pilot up"):
        create_app(replace(config, secret_keys=()))


def test_pages_use_the_engine_of_everything_else(app):
    orm = app.extensions["sqlalchemy"]
    with app.app_context():
        assert orm.engine is db.engine()
        assert orm.metadata is db.Base.metadata


def test_every_route_declares_who_may(app):
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints <= PERMISSIONS.keys()


def test_every_page_file_is_registered(app):
    assert {module.bp.name for module in page_modules()} <= app.blueprints.keys()
    for module in page_modules():
        assert module.__doc__


def test_a_route_without_a_permission_is_closed_to_all(app, browse, world):
    app.add_url_rule("/open", "open", lambda: "open")
    assert browse(world.admin).get("/open").status_code == 403


def test_a_fault_in_the_permission_check_is_403(browse, world, monkeypatch):
    monkeypatch.setattr(Visitor, "may", lambda _, level: level is ADMIN or 1 / 0)
    assert browse(world.admin).get("/lab/save").status_code == 403


def test_roles_add_up_and_only_an_admin_may_all():
    both = Visitor(world_id(), roles=frozenset({"viewer", "operator"}))
    assert both.may(VIEW)
    assert both.may(OPERATE)
    assert not both.may(ADMIN)
    assert not Visitor().may(SIGNED_IN)
    assert all(Visitor(world_id(), roles=frozenset({"admin"})).may(level) for level in Level)
    assert not Visitor(world_id(), roles=frozenset({"wizard"})).may(VIEW)


def world_id():
    return db.Base.metadata  # anything that is somebody


def test_nobody_is_led_to_sign_in_and_back(browse):
    response = browse().get("/lab/save?x=1&y=/a")
    assert response.status_code == 303
    assert response.headers["Location"] == "/sign-in?next=/lab/save%3Fx%3D1%26y%3D/a"


def test_nobodys_fragment_leads_the_whole_page_to_sign_in(browse):
    response = browse().fragment("/lab/save")
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/sign-in?next=/lab/save"


def test_nobodys_twin_is_a_problem(browse):
    response = browse().get("/lab/page.json")
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert response.json["code"] == "unauthorized"


def test_a_form_sent_after_the_session_ended_is_not_lost_by_a_redirect(browse):
    response = browse().post("/lab/save", {"goal": "long text"})
    assert response.status_code == 401
    assert 'href="/sign-in"' in response.text


def test_a_refusal_says_what_to_do_and_is_audited(browse, world, superuser):
    response = browse(world.viewer).get("/lab/save")
    assert response.status_code == 403
    assert "Ask an administrator" in response.text
    found = superuser.execute(
        "SELECT record FROM audit WHERE record LIKE '%UNAUTHORIZED%'"
    ).fetchall()
    assert len(found) == 1
    assert "lab.save" in found[0][0]
    assert str(world.viewer.id) in found[0][0]


def test_the_navigation_holds_what_a_visitor_may_use(browse, world):
    assert 'href="/styleguide"' in browse(world.admin).get("/no-such-page").text
    assert 'href="/styleguide"' not in browse(world.viewer).get("/no-such-page").text
    assert "<nav" not in browse().get("/no-such-page").text


def test_a_form_with_its_token_is_accepted(browse, world):
    browser = browse(world.operator)
    assert browser.post("/lab/save").text == "saved"
    response = browser.post("/lab/save", {"go": "1"})
    assert (response.status_code, response.headers["Location"]) == (303, "/lab/save")


def test_htmx_sends_the_token_as_a_header_and_follows_by_header(browse, world):
    browser = browse(world.operator)
    headers = PARTIAL | {"X-CSRFToken": browser.csrf_token()}
    response = browser.client.post("/lab/save", data={"go": "1"}, headers=headers)
    assert (response.status_code, response.headers["HX-Redirect"]) == (200, "/lab/save")


def test_a_form_without_a_token_is_refused(browse, world):
    response = browse(world.operator).client.post("/lab/save")
    assert response.status_code == 403
    assert "not sent from here" in response.text


def test_another_sessions_token_is_refused(browse, world):
    foreign = browse(world.stranger).csrf_token()
    browser = browse(world.operator)
    browser.csrf_token()
    assert browser.client.post("/lab/save", data={"csrf_token": foreign}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://\u2100.test"},
        {"Origin": "https://evil.test"},
        {"Origin": "http://localhost.evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "HX-Request": "true"},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_a_token(browse, world, headers):
    assert browse(world.operator).post("/lab/save", headers=headers).status_code == 403


def test_a_form_of_this_site_is_accepted(browse, world):
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert browse(world.operator).post("/lab/save", headers=headers).status_code == 200


def test_signing_in_and_out_change_the_token(browse):
    browser = browse()
    before = browser.csrf_token()
    response = browser.get("/lab/in")
    assert "token-of-the-session" in response.headers.getlist("Set-Cookie")[0]
    assert browser.client.post("/lab/form", data={"csrf_token": before}).status_code == 403
    response = browser.get("/lab/out")
    assert response.headers["Clear-Site-Data"] == '"cache"'
