"""Plans goals over any actions: one clause after the other, without a model or a network.

Each clause takes the action that fits it best; parameters come from what the clause states, else
from earlier steps, else they are asked. What changes something is drafted only if it is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pilot.engine.clause_planner import choosing, conditions, described, matching, splitting
from pilot.engine.clause_planner.asking import Asking
from pilot.engine.clause_planner.binding import Bound, Call
from pilot.engine.clause_planner.chaining import Chain, chain
from pilot.engine.clause_planner.choosing import Pick
from pilot.engine.clause_planner.literals import values
from pilot.engine.clause_planner.splitting import Part
from pilot.engine.clause_planner.words import normals
from pilot.engine.clause_planner.writing import Plan
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.validation import validate
from pilot.engine.workflow.draft import Clause, Draft
from pilot.errors import type_json
from pilot.plugins import Effect

__all__ = ["plan", "plugins"]

CLEARLY = 0.4  # share of an action's name that a clause has to say
MAX_STEPS = 40
_NEVER_LEFT = {"email", "phone", "url", "path", "channel"}  # kinds that a step has to use
MAX_PASSES = 3
_NOTHING = (
    "No action that you may use does what the goal asks for. Say which action to use, or name a "
    "table or the mailbox."
)
_TOO_MANY = f"The goal asks for more than {MAX_STEPS} steps: divide it."


def plan(goal: str, catalogue: Catalogue, *, answers: Mapping[str, type_json], zone: str) -> Draft:
    """Return a document for a goal, or questions, or a refusal; never a guess.

    Args:
        goal: what the user typed.
        catalogue: the actions that the workflow may use.
        answers: by the ids of earlier questions; an empty answer for a parameter makes it an input.
        zone: the owner's IANA zone.
    """
    text = " ".join(goal.split())
    known = described.known(catalogue)
    parts = splitting.split(text)
    picks = choosing.choose(known, text, parts) if known.actions else []
    if not picks:
        return Draft(refusal=_NOTHING)
    asking = Asking(answers)
    settled = _settled(picks, parts, asking)
    made = chain(known, text, parts, settled, matching.goal_scores(known, text))
    if len(made.calls) > MAX_STEPS:
        return Draft(refusal=_TOO_MANY)
    written = _written(goal, zone, made, parts, asking)
    document = _valid(written, catalogue)
    answered = _ask_parameters(made.calls, asking)
    clauses = _clauses(made, parts, settled, written, asking)
    sure = _confidence(made.calls, clauses, settled)
    if asking.questions:
        return Draft(None, asking.questions, min(sure, 0.5), clauses)
    return Draft(_valid(written, catalogue) if answered else document, [], sure, clauses)


def plugins(goal: str, catalogue: Catalogue) -> frozenset[str]:
    """Return the plugins whose actions the clauses of a goal name clearly."""
    known = described.known(catalogue)
    text = " ".join(goal.split())
    picks = choosing.choose(known, text, splitting.split(text)) if known.actions else []
    return frozenset(one.action.plugin for one in picks if not one.is_weak and one.named >= CLEARLY)


def _settled(picks: list[Pick], parts: Sequence[Part], asking: Asking) -> list[Pick]:
    """Ask about what is not clear, and take what was answered."""
    found: list[Pick] = []
    for pick in picks:
        clause = parts[pick.clause].text
        chosen: described.Described | None = pick.action
        if pick.rivals or pick.is_weak:
            options = list(
                dict.fromkeys(
                    [pick.action, *pick.rivals],
                )
            )
            chosen = asking.action(clause, options, must=pick.is_weak)
        elif pick.action.effect != Effect.PURE and pick.named < CLEARLY:
            chosen = pick.action if asking.effect(pick.action, clause) else None
        if chosen is not None:
            found.append(replace(pick, action=chosen))
    return found


def _written(goal: str, zone: str, made: Chain, parts: Sequence[Part], asking: Asking) -> Plan:
    """Return the plan with its conditions and approvals."""
    written = Plan(goal, zone, made.calls)
    own: dict[int, str] = {}
    for number, call in enumerate(made.calls):
        part = parts[call.clause]
        if part.condition and not call.implied:
            found = conditions.expression(part.condition, made.calls[:number], written.refer)
            if found is None:
                asking.condition(part.condition)
            else:
                own[number] = found
        if part.each:
            asking.each(part.each)
    written.conditions = own
    written.approvals = _approvals(made.calls, parts)
    return written


def _approvals(calls: Sequence[Call], parts: Sequence[Part]) -> dict[int, str]:
    """Return who approves before which call: the next one that changes something."""
    found: dict[int, str] = {}
    acting = [n for n, one in enumerate(calls) if one.action.effect != Effect.PURE]
    for number, part in enumerate(parts):
        if part.kind != "approval" or not calls:
            continue
        after = [n for n in acting if calls[n].clause > number]
        guarded = (after or acting[-1:] or [len(calls) - 1])[0]
        mails = [one.value for one in values(part.text) if one.kind == "email"]
        found[guarded] = f"user:{mails[0]}" if mails else "owner"
    return found


def _ask_parameters(calls: Sequence[Call], asking: Asking) -> bool:
    """Ask for what is missing; return whether something was answered."""
    answered = False
    for call in calls:
        for one in call.missing:
            answer = asking.parameter(call.action, one)
            if answer is not None:
                call.bound[one.name] = Bound(answer)
                answered = True
    return answered


def _valid(written: Plan, catalogue: Catalogue) -> dict[str, Any]:
    """Return the document; what a parameter does not take is asked for instead."""
    document = written.document()
    for _ in range(MAX_PASSES):
        wrong = [
            one.path.split("/")
            for one in validate(document, catalogue)
            if one.severity == "error" and "/params/" in one.path
        ]
        if not wrong:
            break
        for path in wrong:
            _unbind(written, document, path)
        document = written.document()
    return document


def _unbind(written: Plan, document: dict[str, Any], path: list[str]) -> None:
    name = document["steps"][int(path[2])]["id"]
    call = written.calls[written.ids.index(name)]
    call.bound.pop(path[4].replace("~1", "/").replace("~0", "~"), None)


def _clauses(
    made: Chain, parts: Sequence[Part], picks: Sequence[Pick], written: Plan, asking: Asking
) -> list[Clause]:
    """Return the clauses with the steps that do what they say; ask about those without."""
    found: list[Clause] = []
    asked = {one.clause for one in picks}
    for number, part in enumerate(parts):
        steps = [
            written.ids[n]
            for n, call in enumerate(made.calls)
            if call.clause == number
            or made.filled.get(number) == n
            or (number in asked and call.action in {p.action for p in picks if p.clause == number})
        ]
        if part.kind == "action" and steps:
            _ask_unsaid(part.text, [c for c in made.calls if c.clause == number], asking)
        if part.kind == "approval":
            steps = ["approve"] if written.approvals else []
        elif not steps and part.text:
            asking.unclear(part.text)
        found.append(Clause(part.text or part.condition, tuple(steps)))
    return found


def _ask_unsaid(text: str, calls: Sequence[Call], asking: Asking) -> None:
    """Ask about an address that no step takes, and joined words that none knows."""
    bound = str([one.value for call in calls for one in call.bound.values()])
    for value in values(text):
        if calls and value.kind in _NEVER_LEFT and str(value.value) not in bound:
            asking.unclear(str(value.value))
    said = {word for call in calls for word in call.action.bag}
    said |= {w for call in calls for one in call.action.parameters for w in one.about}
    taken = [str(one.value) for call in calls for one in call.bound.values() if one.call is None]
    for start, end in choosing.pieces(text)[1:]:
        piece = text[start:end].strip(" ,.")
        words = set(normals(piece)) if calls else set()
        if len(words) > 1 and not words & said and not any(one in piece for one in taken if one):
            asking.unclear(piece)


def _confidence(calls: Sequence[Call], clauses: Sequence[Clause], picks: Sequence[Pick]) -> float:
    """Return .4 of the clauses matched, .3 of the mean margin, .3 of the parameters bound."""
    matched = sum(bool(one.covered_by) for one in clauses) / len(clauses)
    margin = sum(one.margin for one in picks) / len(picks) if picks else 0.0
    wanted = sum(one.required for call in calls for one in call.action.parameters)
    missing = sum(len(call.missing) for call in calls)
    bound = (wanted - missing) / wanted if wanted else 1.0
    return 0.4 * matched + 0.3 * margin + 0.3 * bound
