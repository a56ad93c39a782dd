"""No page grows wider than its window, whatever words come from outside."""

import re

import pytest

from pilot.engine.agents import sharing
from pilot.engine.people import api_tokens
from pilot.engine.people.api_tokens import NewToken
from pilot.engine.secrets import connections, secret_handles
from pilot.engine.triggers import hooks
from tests.engine import worker_process as wp
from tests.services.test_doctor import FIELDS

WORD = "x" * 500
SHORTER = "x" * 60  # of what must be unique, or is limited
CONFIG = {"config": {"value": WORD}, "type": "transform", "operation": "set"}
ASK = {"id": "ask", "type": "human_approval", "title": WORD[:200], "approvers": ["owner"]}
STEPS = [
    CONFIG | {"id": "s" + SHORTER, "name": WORD[:120]},
    ASK | {"message": WORD, "execute_if": "inputs.n > 1", "context": {WORD: [{WORD: WORD}]}},
    wp.put("mail", WORD, dependencies=["ask"]),
]
ANY = {"type": "object", "additionalProperties": True}
INPUTS = {"type": "object", "properties": {"n": {"type": "integer", "description": WORD}}}
# What people and foreign systems write, wherever it stands: each is one long word.
STRETCHED = {
    "agent": ("name", "description", "goal"),
    "api_token": ("label", "used_from"),
    "app_user": ("name",),
    "approval": ("title", "message"),
    "call": ("reason",),
    "connection": ("label", "reason", "account"),
    "execution": ("agent_name",),
    "hook_delivery": ("message_id", "reason"),
    "price": ("source",),
    "agent_trigger": ("off_reason",),
    "trigger_fire": ("reason",),
    "user_session": ("browser",),
    "workflow_version": ("reason",),
}
# Outside of boxes that scroll by themselves: what sticks out of the window.
WIDE = """() => [...document.querySelectorAll('main *, .top *')].filter(one =>
  one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.graph-scroll, .code')
  && !one.children.length).slice(0, 3).map(one => one.outerHTML.slice(0, 80))"""
SKIPPED = re.compile(
    r"^/(static|healthz|metrics|styleguide)|\.(json|jsonl|csv)\b|/(export|download|events|output)"
)


@pytest.fixture
def begun(database, redis_url, config, world, vaulted, superuser):
    """Give executions of the administrator's, among rows of every kind; all words are long."""
    wp.switch_on()
    admin = world.admin
    who = {"by": admin.actor, "user_id": admin.id}
    agent = wp.make_agent(admin.id, STEPS, inputs=INPUTS)
    broken = wp.make_agent(admin.id, [wp.broken("first")], inputs=ANY)
    sharing.share(agent, world.operator.email, "run", **who)
    hooks.create(agent, **who)
    given = connections.Given(SHORTER, FIELDS, WORD)
    connections.create("mail", given, by=admin.actor, owner_id=admin.id)
    secret_handles.put("s" + SHORTER[:50], "hidden-for-now", [f"{SHORTER}.test"], **who)
    new = NewToken(label=SHORTER, scopes=["agents:read"], days=30)
    api_tokens.create(new, by=admin.actor, owner_id=admin.id)
    begun = [wp.start(agent, admin.id, n=n) for n in (1, 5)] + [wp.start(broken, admin.id)]
    with wp.working(wp.config(database, redis_url, config.data)):
        for one in begun:
            wp.wait_for(database, one, wp.END | {"waiting"})
    _stretch(superuser)
    return begun


def _stretch(superuser):
    superuser.execute("SET session_replication_role = replica")
    for table, columns in STRETCHED.items():
        names = ", ".join(f"{column} = '{WORD}'" for column in columns)
        superuser.execute(f"UPDATE {table} SET {names}")  # noqa: S608
    superuser.execute(
        "UPDATE execution SET error = error::jsonb || jsonb_build_object('message', %s::text) "
        "WHERE status = 'failed'",
        [WORD],
    )
    superuser.execute("SET session_replication_role = DEFAULT")


def _links(page):
    """Return the pages of Pilot that a page leads to."""
    found = page.eval_on_selector_all(
        "main a[href], nav a[href]",
        """all => all.map(one => new URL(one.getAttribute('href'), location))
          .filter(url => url.origin === location.origin).map(url => url.pathname + url.search)""",
    )
    return [path for path in found if not SKIPPED.search(path)]


def _kind(path):
    """Return a path without what names one row, and how a list is sorted or narrowed."""
    page = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+|(?<=^/prices/).*", "*", path)
    return re.sub(r"\b(sort|within|status|agent|as|step)=[^&]*&?", "", page).rstrip("?&")


@pytest.mark.browser
def test_no_page_is_wider_than_its_window(begun, window, world):
    page = window(world.admin)
    ways, wide, seen = ["/", *(f"/executions/{one}" for one in begun)], [], set()
    while ways:
        path = ways.pop(0)
        page.set_viewport_size({"width": 1280, "height": 900})
        assert page.goto(path).ok, path
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append((width, path, page.evaluate(WIDE)))
        for way in _links(page):
            if _kind(way) not in seen:
                seen.add(_kind(way))
                ways.append(way)
    assert wide == [], "\n".join(map(str, wide))
    assert len(seen) > 40
