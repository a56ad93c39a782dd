"""Which step does what each clause of the goal says, and how sure the draft is."""

from pilot.engine.planner.parsing import Parse
from pilot.engine.planner.request import Request
from pilot.engine.workflow.draft import Clause

_STEPS = {
    "SOURCE": ("read",), "FILTER": ("rows",), "WINDOW": ("rows",), "TODAY": ("rows",),
    "DATEWORD": ("rows",), "ORDER": ("rows",), "LIMIT": ("rows",), "UNIQUE": ("rows",),
    "MEASURE": ("rows",), "COLUMNS": ("table",), "COLSLEFT": ("table",),
    "ALLCOLUMNS": ("table",), "COLCOUNT": ("table",),
    "EMPTY": ("table",), "GUARD": ("send",), "RECIPIENTS": ("inputs.to", "send"),
    "SEPARATE": ("send",), "SUBJECT": ("send",), "APPROVAL": ("approve",), "APPEND": ("append",),
    "SKIP": ("fresh",), "MAILSEARCH": ("search",), "NOMAIL": ("append",), "ENTITY": ("rows",),
    "EACHROW": ("rows",), "SEND": ("send",), "LISTNOUN": ("table",), "MAILNOUN": ("send",),
    "READ": ("read",), "ROWNOUN": ("rows",), "SHEETNOUN": ("read",), "TABLEWORD": ("read",),
    "LEFTOUT": ("left out",), "WORDLESS": ("left out",), "EMPTYCLAUSE": ("table",),
    "UNIQUECLAUSE": ("send",), "RECIPIENTCLAUSE": ("inputs.to", "send"),
}  # fmt: skip
_ENDS = {";", ":"}


def clauses(parse: Parse, request: Request) -> list[Clause]:
    """Return the clauses of the goal that ask for something, with what covers them."""
    found: list[Clause] = []
    start = 0
    tokens = parse.chart.tokens
    for edge in [*parse.cover, None]:
        at = edge.start if edge else len(tokens)
        ends = (
            edge is None
            or tokens[at].kind == "break"
            or (edge.tag == "PUNCT" and tokens[at].word in _ENDS)
        )
        if not ends:
            continue
        if at > start:
            found += _clause(parse, request, start, at)
        start = at + 1
    return found


def _clause(parse: Parse, request: Request, start: int, end: int) -> list[Clause]:
    inside = [edge for edge in parse.cover if start <= edge.start < end]
    if all(edge.tag in {"FILLER", "PUNCT", "BACKGROUND"} for edge in inside):
        return []
    covered: list[str] = []
    for edge in inside:
        covered += _STEPS.get(edge.tag, ())
    steps = tuple(dict.fromkeys(_renamed(name, request) for name in covered))
    text = parse.chart.between(
        start, min(max(edge.end for edge in inside), len(parse.chart.tokens))
    )
    unknown = any(edge.tag in {"UNKNOWN", "UNABLE"} for edge in inside)
    return [Clause(text, () if unknown else steps)]


def _renamed(name: str, request: Request) -> str:
    """Return the step that has this part in the document at hand."""
    if name == "read" and request.search is not None:
        return "search"
    if name in {"send", "inputs.to"} and not request.mails:
        return "append" if request.target is not None else "table"
    if name == "table" and request.target is not None and not request.mails:
        return "append"
    return name


def confidence(parse: Parse, request: Request, done: list[Clause], margin: float) -> float:
    """Return .4 share of clauses covered + .3 margin + .3 share of parameters bound."""
    covered = sum(bool(clause.covered_by) for clause in done) / len(done) if done else 0.0
    scores = [edge.score for edge in parse.facts] or [0.5]
    sure = min(1.0, 0.5 + margin) * sum(scores) / len(scores)
    parameters = [True, not request.mails or bool(request.to), not parse.unknown]
    bound = sum(parameters) / len(parameters)
    return round(0.4 * covered + 0.3 * sure + 0.3 * bound, 3)
