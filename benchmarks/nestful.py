"""Which actions the clause planner chooses for goals of NESTFUL: selection, not running workflows.

Tool-F1 is the mean over the goals of the multiset F1 of action names; exact is the share of goals
with the same names in the same order; calls without a specification are left out of both. Where
the planner asks, its first proposal is taken and parameters are left to be asked at each start.

Baseline: clause splitting and BM25 alone, each clause taking its best action.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks import nestful_goals
from benchmarks.figures import figure, percentile, timed_ms
from benchmarks.nestful_goals import Case
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.clause_planner import described, plan, splitting
from pilot.engine.workflow.draft import Draft
from pilot.engine.shortlist import TOP, Shortlist
from pilot.engine.validation import validate

GOAL_F1 = 0.71
GOAL_EXACT = 0.298
GOAL_MS = 20.0
GOAL_RECALL = 0.857
MAX_ROUNDS = 5
CLAUSE_SHARE, GOAL_SHARE = 0.75, 0.25
Choose = Callable[[str, Catalogue], Sequence[str]]


def proposal(goal: str, catalogue: Catalogue) -> Draft:
    """Return the draft after each question got the answer that the planner proposes first."""
    answers: dict[str, object] = {}
    draft = Draft()
    for _ in range(MAX_ROUNDS):
        draft = plan(goal, catalogue, answers=answers, zone="UTC")
        if not draft.questions:
            break
        answers |= {one.id: one.default or "" for one in draft.questions}
    return draft


def proposed(goal: str, catalogue: Catalogue) -> list[str]:
    """Return the names of the actions of a proposal."""
    steps = (proposal(goal, catalogue).document or {"steps": []})["steps"]
    return [f"{one['plugin']}.{one['action']}" for one in steps if one["type"] == "action"]


def simple(goal: str, catalogue: Catalogue) -> list[str]:
    """Return the action that fits each clause best, by BM25 alone."""
    shortlist = Shortlist.of(catalogue.actions.values())
    whole = shortlist.scores(goal)
    found: list[str] = []
    for part in splitting.split(goal):
        own = shortlist.scores(part.text)
        best = max(own, key=lambda name: CLAUSE_SHARE * own[name] + GOAL_SHARE * whole[name])
        if found[-1:] != [best]:
            found.append(best)
    return found


def scores(choose: Choose, cases: Sequence[Case]) -> tuple[float, float]:
    """Return tool-F1 and the share of exact answers."""
    total, exact = 0.0, 0
    for case in cases:
        source = nestful_goals.originals(case.part)
        found = choose(case.goal, nestful_goals.catalogue(case.part))
        names = tuple(source[name] for name in found)
        common = (Counter(names) & Counter(case.names)).total()
        total += 2 * common / (len(names) + len(case.names))
        exact += names == case.names
    return total / len(cases), exact / len(cases)


def recall(cases: Sequence[Case], *, whole_method: bool) -> float:
    """Return the share of goals with every needed action in the shortlist.

    Without the whole method it is that of BM25 over the goal alone.
    """
    whole = 0
    for case in cases:
        known = nestful_goals.catalogue(case.part)
        shortlist = Shortlist.of(known.actions.values())
        clauses = [one.text for one in splitting.split(case.goal)] if whole_method else []
        needs = described.needs(known) if whole_method else None
        source = nestful_goals.originals(case.part)
        listed = {source[name] for name in shortlist.top(case.goal, clauses, needs=needs)}
        whole += set(case.names) <= listed
    return whole / len(cases)


def errors(cases: Sequence[Case]) -> int:
    """Return how many proposed documents have errors, or are not there."""
    found = 0
    for case in cases:
        catalogue = nestful_goals.catalogue(case.part)
        document = proposal(case.goal, catalogue).document
        issues = validate(document, catalogue) if document is not None else []
        found += document is None or any(one.severity == "error" for one in issues)
    return found


def _timed(choose: Callable[[str, Catalogue], object], cases: Sequence[Case]) -> list[float]:
    return [
        timed_ms(lambda one=one: choose(one.goal, nestful_goals.catalogue(one.part)))
        for one in cases
    ]


def main() -> None:
    """Print the figures."""
    cases = nestful_goals.cases()
    n = len(cases)
    (f1, exact), (plain_f1, plain_exact) = scores(proposed, cases), scores(simple, cases)
    figure("nestful_tool_f1", f1, "", n, plain_f1, GOAL_F1, higher_is_better=True)
    figure("nestful_exact", exact, "", n, plain_exact, GOAL_EXACT, higher_is_better=True)
    figure("nestful_invalid", errors(cases), "documents", n, None, 0)
    drafted = _timed(lambda goal, known: plan(goal, known, answers={}, zone="UTC"), cases)
    figure(
        "nestful_p95_ms",
        percentile(drafted, 95),
        "ms",
        n,
        percentile(_timed(simple, cases), 95),
        GOAL_MS,
    )
    figure(
        f"shortlist_recall_{TOP}",
        recall(cases, whole_method=True),
        "",
        n,
        recall(cases, whole_method=False),
        GOAL_RECALL,
        higher_is_better=True,
    )


if __name__ == "__main__":
    main()
