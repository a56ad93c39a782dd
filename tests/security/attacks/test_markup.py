"""Every `xss` and `htmx` input, stored wherever people and steps can write, in a real Chromium.

One step, agent, tag and input for each; then every page that shows them, and a live swap.
"""

from urllib.parse import quote

import pytest

from pilot.engine.agents import agent_details, agents
from pilot.engine.generation import drafts
from tests.engine import worker_process as wp
from tests.security.attacks.cases import literals

TEXTS = literals("xss") | literals("htmx")
# What no page may contain, whatever was stored: elements and attributes that only an input names,
# and code, frames, forms or links that lead elsewhere.
FOREIGN = """
() => {
  const wrong = [];
  const here = url => url === '' || new URL(url, 'http://nowhere.test').origin === location.origin
    || !/^[a-z][a-z0-9+.-]*:|^[/\\\\]{2}/i.test(url);
  for (const one of document.querySelectorAll('*')) {
    const names = one.getAttributeNames();
    const is = one.localName;
    const bad = ['iframe', 'base', 'object', 'embed', 'style'].includes(is)
      || (is === 'template' && one.id !== 'no-answer')
      || (is === 'script' && !one.nonce)
      || (is === 'meta' && one.httpEquiv.toLowerCase() === 'refresh')
      || (is === 'img' && !here(one.getAttribute('src') || ''))
      || (is === 'a' && !here(one.getAttribute('href') || ''))
      || (is === 'form' && !here(one.getAttribute('action') || ''))
      || ['approve-button', 'htmx', 'x'].includes(one.id)
      || names.some(name => /^on|hx-on|^hx-vals|^hx-ext|^sse-/.test(name))
      || names.some(name => /^(data-)?hx-(get|post)$/.test(name)
        && one.getAttribute('hx-nonce') !== document.querySelector('script').nonce)
      || names.some(name => /alert\\(1\\)|evil.test|attacker.test/.test(one.getAttribute(name))
        && !['value', 'title', 'aria-label', 'data-copy', 'href', 'content'].includes(name));
    if (bad) wrong.push(one.outerHTML.slice(0, 200));
  }
  if (document.getElementById('toast') && document.getElementById('toast').innerText === 'owned')
    wrong.push('owned');
  return wrong;
}
"""


def steps():
    """Return a workflow whose steps carry the texts as names and as output, and that asks."""
    made = [
        {
            "id": f"s{number}",
            "name": text[:80],
            "type": "transform",
            "operation": "set",
            "config": {"value": f"{{{{inputs.text{number}}}}}"},
        }
        for number, text in enumerate(TEXTS.values())
    ]
    ask = {"id": "ask", "type": "human_approval", "title": "<img src=x onerror=alert(1)>"}
    ask |= {"approvers": ["role:approver"], "context": {"texts": "{{inputs}}"}}
    end = {"id": "end", "type": "action", "plugin": "mail", "action": "send"}
    mail = {"to": ["ann@example.com"], "subject": "{{inputs.text1}}", "html": "{{inputs.all}}"}
    return [*made, ask, end | {"dependencies": ["ask"], "params": mail | {"text": "x"}}]


EVERYTHING = "\n".join(TEXTS.values())


@pytest.fixture(scope="module")
def stored(world, database, servers, config):
    """Store the texts everywhere; give the ids of an agent, execution that waits, and draft."""
    wp.switch_on()
    person = world.operator
    for text in TEXTS.values():
        new = agents.NewAgent(text[:120], goal=text, prompt=text, description=text)
        made = agents.create(new, None, owner_id=person.id, by=person.actor).agent_id
        details = agent_details.Details(text[:120], text, text, (text[:40],))
        agent_details.change(made, details, by=person.actor, user_id=person.id)
    given = {f"text{number}": text for number, text in enumerate(TEXTS.values())}
    properties = {name: {"type": "string", "title": text} for name, text in given.items()}
    properties["all"] = {"type": "string", "description": EVERYTHING}
    inputs = {"type": "object", "properties": properties}
    body = {"format": 1, "name": EVERYTHING[:120], "inputs": inputs, "steps": steps()}
    new = agents.NewAgent(EVERYTHING[:120], goal=EVERYTHING)
    agent = agents.create(new, body, owner_id=person.id, by=person.actor).agent_id
    draft = drafts.begin(EVERYTHING, data=config.data, by=person.actor, user_id=person.id)
    with wp.working(wp.config(database, servers.redis_url, config.data)):
        execution = wp.start(agent, person.id, **given, all=EVERYTHING)
        wp.wait_for(database, execution, {"waiting"})
        yield {"agent": agent, "execution": execution, "draft": draft}


@pytest.fixture
def watched(window, world, served):
    """Give `watched(person)`: a page that records dialogs and requests to elsewhere too."""

    def watched(person):
        page = window(person)
        page.on("dialog", lambda dialog: (page.complaints.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda sent: None if sent.url.startswith(served) else page.complaints.append(sent.url),
        )
        return page

    return watched


def check(page):
    assert page.evaluate(FOREIGN) == [], page.url
    assert page.complaints == [], page.url


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shown(page):
    """Return how many of the texts stand on the page as text."""
    source = page.content()
    return sum(escaped(text) in source for text in TEXTS.values())


@pytest.mark.capability(277)
@pytest.mark.browser
def test_stored_markup_stays_text_on_every_page(stored, watched, world, superuser):
    superuser.execute("UPDATE app_user SET name = %s", [EVERYTHING])
    script = quote(TEXTS["xss-11"])
    page = watched(world.operator)  # the owner: nobody else edits the workflow
    page.goto(f"/agents/{stored['agent']}/workflow/edit")
    check(page)
    assert shown(page) >= 10
    page = watched(world.admin)
    for url, least in {
        "/": 2,
        "/account": len(TEXTS),
        "/agents": len(TEXTS),
        f"/agents?q={script}": 1,
        f"/agents/{stored['agent']}": len(TEXTS),
        f"/agents/{stored['agent']}/workflow": len(TEXTS),
        "/executions": 2,
        f"/executions?q={script}": 1,
        f"/executions/{stored['execution']}?step=s0": len(TEXTS),
        f"/generations/{stored['draft']}": len(TEXTS),
        f"/agents/new?goal={quote(EVERYTHING)}": len(TEXTS),
        "/audit": 1,
        "/costs": 0,
    }.items():
        page.goto(url)
        check(page)
        assert shown(page) >= least, url


@pytest.mark.capability(277)
@pytest.mark.browser
def test_stored_markup_stays_text_on_an_approval_and_in_live_swaps(stored, watched, world):
    approver, operator = watched(world.approver), watched(world.operator)
    operator.goto(f"/executions/{stored['execution']}")
    approver.goto("/approvals")
    check(approver)
    approver.get_by_role("link", name="<img src=x onerror=alert(1)>").first.click()
    approver.wait_for_url("**/approvals/*")
    check(approver)
    assert shown(approver) == len(TEXTS)
    approver.get_by_role("button", name="Approve", exact=True).click()
    operator.get_by_text("Completed").first.wait_for(timeout=10_000)
    check(operator)
    assert shown(operator) == len(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_markup_in_an_address_stays_text(browse, world, name):
    browser, text = browse(world.admin), TEXTS[name]
    for url in (
        "/agents?q=",
        "/agents?sort=",
        "/executions?status=",
        "/executions?q=",
        "/audit?q=",
        "/audit?actor=",
        "/costs?from=",
        "/approvals?q=",
        "/no-such-page/",
    ):
        answer = browser.get(url + quote(text))
        assert answer.status_code in {200, 404, 422}, url
        assert "<" not in text or text not in answer.text, url
        assert "HX-Redirect" not in answer.headers
