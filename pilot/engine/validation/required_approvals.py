"""Effects that need an approval before them, by the workflow's policy or everybody's setting."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pilot import strictjson
from pilot.engine.language.catalogue import Action, Catalogue
from pilot.engine.language.effects_rule import EffectsRule
from pilot.engine.validation import approvals, flow, identity
from pilot.engine.validation.context import Context, effect_of
from pilot.engine.workflow import graph
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

CODE = "E_APPROVAL_REQUIRED"


def check(context: Context) -> Iterator[Issue]:
    """Yield E_APPROVAL_REQUIRED for each effect that may happen before anybody approved it."""
    rule = _rule(context)
    if rule.level == "none":
        return
    asking = _asking(context)
    taken, told = set(context.by_id), list[_Way]()
    for node in context.nodes:
        action = next(_held_back(context, node, rule), None)
        if action is None or _is_approved(context, node, asking):
            continue
        first = next((one.node for one in told if one.is_passed_by(node)), None)
        yield _missing(context, node, action, first, taken)
        told.append(_way(context, node))


def within(context: Context, node: Node) -> Catalogue:
    """Return the catalogue for the workflow that stands within a step.

    The rule of the workflow around it holds there too, unless what is within is approved here.
    """
    approved = _is_approved(context, node, _asking(context))
    return context.catalogue.with_effects_rule(EffectsRule() if approved else _rule(context))


def effects(rule: EffectsRule, actions: Iterable[tuple[Action, Any]]) -> Iterator[Action]:
    """Yield the actions that need an approval, of some with params; None: a model writes them."""
    for action, params in actions:
        effect = action.effect if params is None else effect_of(action, params)
        if effect != "pure" and rule.holds_for(action, params):
            yield action


def _rule(context: Context) -> EffectsRule:
    policies = context.document.get("policies")
    level = policies.get("effects_approval") if isinstance(policies, dict) else None
    return context.catalogue.effects_rule.stricter(level)


def _held_back(context: Context, node: Node, rule: EffectsRule) -> Iterator[Action]:
    """Yield the actions of a step that need an approval, what would undo it included."""
    step, calls = node.step, list[tuple[Any, Any]]()
    if node.type == "llm_decision" and isinstance(step.get("actions"), list):
        calls += [(name, None) for name in step["actions"]]
    acting = [step] if node.type == "action" else []
    undoing = [step["compensate"]] if isinstance(step.get("compensate"), dict) else []
    for one in (*acting, *undoing):
        calls += [(f"{one.get('plugin')}.{one.get('action')}", one.get("params", {}))]
    known = context.catalogue.actions
    named = ((name, params) for name, params in calls if isinstance(name, str) and name in known)
    return effects(rule, ((known[name], params) for name, params in named))


@dataclass(frozen=True)
class _Way:
    """A step that others wait for, and which steps of its list are skipped whenever it is."""

    node: Node
    behind: frozenset[str]
    condition: str | None  # as canonical text; None: it has none
    if_false: frozenset[str]
    if_skipped: frozenset[str] | None  # with all that it waits for; None: that never happens

    def is_passed_by(self, node: Node) -> bool:
        """Say whether this step runs on every way to another one."""
        around = next((o for o in (node, *node.containers) if o in self.node.siblings), None)
        if around is None or around.id not in self.behind:
            return False
        if self.if_skipped is not None and around.id not in self.if_skipped:
            return False
        if self.condition is None or around.id in self.if_false:
            return True
        return self.condition in _conditions(around, node)


def _way(context: Context, node: Node) -> _Way:
    needs = context.needs(node)
    needed = needs.get(node.id, frozenset())
    condition = _condition(node)
    skipping = [
        one.id
        for one in node.siblings
        if one is not node and (_condition(one) or flow.skips_itself(context, one))
    ]
    is_skipped = needed and needed <= graph.skipped_with(needs, skipping)
    return _Way(
        node,
        graph.descendants(needs, node.id),
        condition,
        graph.skipped_with(needs, {node.id}) if condition else frozenset(),
        graph.skipped_with(needs, {node.id, *needed}) if is_skipped else None,
    )


def _condition(node: Node, key: str = "execute_if") -> str | None:
    found = node.step.get(key)
    return None if found in (None, True) else strictjson.canonical(found)


def _conditions(around: Node, node: Node) -> list[str | None]:
    """Return the conditions under which a step of a list, and so one within it, runs."""
    found = [_condition(around)]
    if around.type == "conditional" and flow.branch(node, around) == "then":
        found.append(_condition(around, "condition"))
    return found


def _asking(context: Context) -> list[_Way]:
    """Return the approvals that somebody has to give: no time that runs out gives them."""
    asked = [node for node in context.nodes if node.type == "human_approval" and node.id]
    return [_way(context, one) for one in asked if one.step.get("on_timeout") != "approve"]


def _is_approved(context: Context, node: Node, asking: list[_Way]) -> bool:
    return any(
        one.is_passed_by(node) and (_stops(context, one.node) or _guards(context, one.node, node))
        for one in asking
    )


def _stops(context: Context, approval: Node) -> bool:
    """Say whether nothing behind an approval runs once it was refused, or nobody decided."""
    late = isinstance(approval.step.get("on_timeout"), dict)  # other steps run then
    return not late and (approval.step.get("on_error") or _on_error(context)) == "fail"


def _on_error(context: Context) -> Any:
    """Return what a failure means to steps that do not say it."""
    defaults = context.document.get("defaults")
    return (defaults.get("on_error") if isinstance(defaults, dict) else None) or "fail"


def _guards(context: Context, approval: Node, node: Node) -> bool:
    """Say whether the engine holds back this very step once its approval was refused."""
    return node in approvals.guarded(context, approval)


def _missing(
    context: Context, node: Node, action: Action, first: Node | None, taken: set[str]
) -> Issue:
    rule, own = _rule(context), context.catalogue.effects_rule
    who = "the setting pilot_effects_approval" if rule == own else "the policy effects_approval"
    what = "changes something" if rule.level == "all" else "may reach others than yourselves"
    message = (
        f"{action.name} {what}, and {who} wants a person's approval before that: put a "
        "human_approval before it that every way passes and only a person gives."
    )
    fix = None
    if first is not None:
        message += f" The one that {first.id} needs holds for it too."
    elif context.by_id.get(node.id) is node:
        fix = [{"op": "add", "path": node.path, "value": _approval(context, node, action, taken)}]
    return Issue(CODE, node.path, message, "an approval before it", node.id, fix)


def _approval(context: Context, node: Node, action: Action, taken: set[str]) -> dict[str, Any]:
    """Return a step that asks the owner, where the guarded one would run."""
    step: dict[str, Any] = {
        "id": identity.free(f"approve_{node.id}"[:60], taken),
        "name": "Ask for approval",
        "type": "human_approval",
        "title": f"Go on with: {action.title}?",
        "approvers": ["owner"],
        "guards": [node.id],
    }
    if node.step.get("execute_if") is not None:
        step["execute_if"] = node.step["execute_if"]
    return step if _on_error(context) == "fail" else step | {"on_error": "fail"}
