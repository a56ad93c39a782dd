"""Finds goals that read in two ways: what nearly as good a reading would do otherwise."""

from collections.abc import Iterable
from dataclasses import replace

from pilot.engine.language.catalogue import TableSample
from pilot.engine.planner.asking import Asking
from pilot.engine.planner.delivering import measure_name
from pilot.engine.planner.parsing import Parse, without
from pilot.engine.planner.request import Request, gather
from pilot.engine.planner.wordings import shown, shown_span
from pilot.engine.workflow.draft import Answers

NEARLY = 0.25  # a difference in cost that says nothing


def other_reading(
    parse: Parse,
    request: Request,
    answers: Answers,
    samples: Iterable[TableSample],
    owner: str,
) -> Request | None:
    """Return the request of a reading that is as good as the best one and differs, or None.

    Args:
        parse: the best reading.
        request: what it asks for.
        answers: given so far; a reading that needs more of them is a worse one.
        samples: of all tables.
        owner: the owner's address.
    """
    known = list(samples)
    mine = summary(request)
    for edge in parse.facts:
        cover, cost = without(parse, edge)
        if cost > parse.cost + NEARLY:
            continue
        asking = Asking(answers)
        asking.over(parse.vocabulary.sample)
        other = gather(replace(parse, cover=cover, cost=cost), asking, known, owner)
        if not asking.questions and summary(other) != mine:
            return other
    return None


def difference(request: Request, other: Request) -> tuple[str, str]:
    """Return what each of two requests does that the other does not, in words."""
    mine, theirs = summary(request), summary(other)
    names = [name for name in mine if mine[name] != theirs[name]]
    texts = ["; ".join(f"{name}: {one[name]}" for name in names) for one in (mine, theirs)]
    return texts[0], texts[1]


def summary(request: Request) -> dict[str, str]:
    """Return what a request does, in words, by part."""
    parts = {
        "rows": sorted(shown(one) for one in request.filters),
        "days": [
            shown_span(name, span, str(abs(span.high or span.low)))
            for name, span in request.windows
        ],
        "order": [f"{name}{' (last first)' if down else ''}" for name, down in request.orders],
        "columns": request.columns or ["all"],
        "no duplicates of": [" and ".join(names) or "rows" for names in request.unique],
        "at most": [str(request.limit)] if request.limit is not None else [],
        "numbers": [
            measure_name(one.op, one.column.name if one.column else None)
            + (f" per {one.by.name}" if one.by else "")
            for one in request.measures
        ],
        "to": [*request.to, *filter(None, [request.asked_to])],
        "copies": [*request.cc, *request.bcc],
        "subject": [request.subject or "chosen for you"],
        "without rows": ["no mail" if request.empty is None else request.empty or "a short text"],
        "approval by": request.approvers,
        "adds rows to": [request.target.tab] if request.target else [],
        "search": [str(request.search)] if request.search else [],
        "mails": ["one each" if request.separate else "one for all"],
    }
    return {name: ", ".join(texts) or "none" for name, texts in parts.items()}
