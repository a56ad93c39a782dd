"""Approvals that can be decided: enough people, and somebody left who may."""

from collections.abc import Iterator
from typing import Any

from pilot.engine.approvals.approvals import DECIDERS
from pilot.engine.language import references, spelling
from pilot.engine.people.new_user import Role
from pilot.engine.validation.context import Context, Use
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue


def check(context: Context) -> Iterator[Issue]:
    """Yield E_APPROVERS; E_REF_STEP and E_REF_FIELD of editable places; E_EXPRESSION of now()."""
    for node in context.nodes:
        for place, listed in asked(node):
            yield from _roles(listed, node.path + place)
        if node.type == "human_approval":
            yield from _approvers(node)
            yield from _editable(context, node)
            yield from _moments(context, node)


def asked(node: Node) -> Iterator[tuple[str, list[str]]]:
    """Yield each place of a step that names people, and whom: first those who are asked first."""
    for key in ("approvers", "assignees"):
        yield f"/{key}", _texts(node.step.get(key))
    levels = node.step.get("escalation")
    for number, level in enumerate(levels if isinstance(levels, list) else []):
        if isinstance(level, dict):
            yield f"/escalation/{number}/approvers", _texts(level.get("approvers"))


def _texts(listed: Any) -> list[str]:
    """Return a list of texts, or none: what else stands there the shape says."""
    texts = isinstance(listed, list) and all(isinstance(one, str) for one in listed)
    return listed if texts else []


def _roles(listed: list[str], path: str) -> Iterator[Issue]:
    for number, one in enumerate(listed):
        kind, _, name = one.partition(":")
        if kind == "role" and name not in DECIDERS and "{{" not in name:
            known = ", ".join(f"role:{role}" for role in Role if role in DECIDERS)
            told = f"{name[:60]!r} decides" if name in set(Role) else f"is there: {name[:60]!r}"
            message = f"No role {told}, so nobody would be asked. There are: {known}."
            yield Issue("E_APPROVERS", f"{path}/{number}", message, expected=known, got=one[:60])


def _approvers(node: Node) -> Iterator[Issue]:
    yield from _levels(node)
    yield from _people(node, node.step.get("approvers"), node.path)


def _editable(context: Context, node: Node) -> Iterator[Issue]:
    """Name each place that is no parameter of an action."""
    listed = node.step.get("editable")
    for number, place in enumerate(listed if isinstance(listed, list) else []):
        step, _, name = str(place).partition(".")
        other = context.by_id.get(step)
        path = f"{node.path}/editable/{number}"
        if other is None or other.type != "action":
            message = f"There is no action with the id {step[:60]!r} whose parameters may change."
            yield Issue("E_REF_STEP", path, message, got=str(place)[:120])
            continue
        action = context.catalogue.actions.get(
            f"{other.step.get('plugin')}.{other.step.get('action')}"
        )
        known = list(action.params_schema.get("properties", {})) if action else [name]
        if name not in known:
            message = f"{action.name if action else step} has no parameter {name[:60]!r}."
            message += spelling.suggestion(name, known)
            yield Issue("E_REF_FIELD", path, message, got=name[:60])


def _moments(context: Context, node: Node) -> Iterator[Issue]:
    """Name now() in what is approved: it is another one when it runs, so it is asked for ever."""
    for one in guarded(context, node):
        for use in context.uses_of[id(one)]:
            if use.compiled.failed or not _is_param(use):
                continue
            for place, text in use.texts:
                if "now" in references.calls(text):
                    message = (
                        "now() is another moment when this runs than when it was approved, so it "
                        "would be asked for ever: compute it in a transform before "
                        f"{node.id}, and read its output here."
                    )
                    yield Issue("E_EXPRESSION", use.path + place, message, got=text[:120])


def guarded(context: Context, node: Node) -> list[Node]:
    """Return the actions whose parameters an approval shows."""
    named = node.step.get("guards")
    if isinstance(named, list):
        found = [context.by_id.get(one) for one in named if isinstance(one, str)]
    else:
        needs, readers = context.needs(node), context.readers.get(node.id, [])
        reacting = {use.node.id for use in readers if use.node is not None and _is_param(use)}
        ids = [one for one, needed in needs.items() if node.id in needed and one not in reacting]
        found = [context.by_id.get(one) for one in ids]
    return [one for one in found if one is not None and one.type == "action"]


def _is_param(use: Use) -> bool:
    return use.written.path.startswith("/params")


def _levels(node: Node) -> Iterator[Issue]:
    levels, escalates = node.step.get("escalation"), node.step.get("on_timeout") == "escalate"
    if escalates and not levels:
        message = "It escalates, but to nobody: say under escalation who is asked then."
        yield Issue("E_APPROVERS", f"{node.path}/on_timeout", message, got="escalate")
    if levels and not escalates:
        message = "Nobody of escalation is ever asked: set on_timeout to escalate, or remove it."
        yield Issue("E_APPROVERS", f"{node.path}/escalation", message)
    for place, level in enumerate(levels if isinstance(levels, list) else []):
        if isinstance(level, dict):
            yield from _people(node, level.get("approvers"), f"{node.path}/escalation/{place}")


def _people(node: Node, listed: Any, path: str) -> Iterator[Issue]:
    people = {one.lower() for one in _texts(listed)}
    if not people:
        return
    k = node.step.get("k")
    counted = not any(one.startswith("role:") for one in people)
    if counted and isinstance(k, int) and k > len(people):
        message = f"{k} approvals are wanted of {len(people)} people: add approvers or lower k."
        place = f"{path}/k" if path == node.path else f"{path}/approvers"
        yield Issue("E_APPROVERS", place, message, expected=f"at most {len(people)}", got=str(k))
    if node.step.get("self_approval") is False and people == {"owner"}:
        message = (
            "Only the owner may approve, but with self_approval false who starts or wrote the "
            "workflow may not: name somebody else."
        )
        yield Issue("E_APPROVERS", f"{path}/approvers", message, got="owner")
