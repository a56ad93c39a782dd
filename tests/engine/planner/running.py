"""Runs drafted documents over the demo data: real plugins, transforms and expressions."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import structlog

from pilot import plugins
from pilot.egress import Egress
from pilot.engine.expressions import Scope
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.references import compile_field, compile_template
from pilot.engine.transforms.pipeline import compile_operations
from pilot.plugins import Call

ZONE = ZoneInfo("Europe/Berlin")


def run(document, catalogue, folder, *, today, owner, inputs=None):
    """Return the outputs of all steps by id; steps that wait for a person are approved."""
    known = document["inputs"]["properties"]
    defaults = {name: one["default"] for name, one in known.items() if "default" in one}
    roots = {"inputs": {**defaults, **(inputs or {})}, "steps": {}}
    now = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    scope = Scope(roots, now, ZONE)
    outputs = {}
    for step in document["steps"]:
        if "execute_if" in step and not compile_condition(step["execute_if"]).evaluate(scope):
            continue
        if step["type"] == "action":
            output = _act(step, catalogue, scope, folder, owner)
        elif step["type"] == "transform":
            output = _transform(step, scope)
        else:
            output = {"approved": True}
        outputs[step["id"]] = output
        roots["steps"][step["id"]] = {"status": "completed", "output": output}
    return outputs


def _transform(step, scope):
    operations = step.get("operations") or [
        {"operation": step["operation"], "config": step["config"]}
    ]
    value = compile_field(step["input"]).evaluate(scope)
    return compile_operations(operations).run(value, scope).value


def _act(step, catalogue, scope, folder, owner):
    action = catalogue.actions[f"{step['plugin']}.{step['action']}"]
    params = compile_template(step["params"]).evaluate(scope)
    call = Call(
        key=f"test-{step['id']}",
        deadline=time.monotonic() + 20,
        zone=ZONE,
        folder=folder,
        owner_email=owner,
        http=Egress(()),
        log=structlog.get_logger(),
    )
    return plugins.perform(action, params, call)
