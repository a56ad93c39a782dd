"""From the goal to the draft: screen, read over each table, gather, ask or write."""

from collections.abc import Mapping

from pilot.engine import clause_planner
from pilot.engine.language.catalogue import Catalogue, Column, TableSample
from pilot.engine.planner import building, screening, typos, vocabulary
from pilot.engine.planner.asking import NO_SINK, Asking, label
from pilot.engine.planner.clauses import clauses, confidence
from pilot.engine.planner.doubts import difference, other_reading
from pilot.engine.planner.facts import Append, Source, Window
from pilot.engine.planner.parsing import UNKNOWN_COST, Names, Parse, of, parse
from pilot.engine.planner.request import Request, gather
from pilot.engine.planner.text import Token, normalise, tokenise
from pilot.engine.planner.vocabulary import Vocabulary
from pilot.engine.workflow.draft import Draft
from pilot.errors import type_json

MAX_CANDIDATES = 6
MAX_QUESTIONS = 3
TIE = 0.05
MAIL_ME = "Mail it to me"
MAILBOX = TableSample(
    "",
    "mails",
    (
        Column("from", "text"),
        Column("to", "text"),
        Column("subject", "text"),
        Column("date", "date", "YYYY-MM-DDTHH:mm:ss"),
        Column("text", "text"),
        Column("id", "text"),
    ),
    0,
)
_OWN_PLUGINS = frozenset({"tables", "mail"})
_MAILBOX_WORDS = {"inbox", "mailbox", "mails", "emails", "messages"}


def plan_goal(
    goal: str,
    catalogue: Catalogue,
    answers: Mapping[str, type_json],
    *,
    zone: str,
    owner_email: str,
) -> Draft:
    """Return the draft; see `pilot.engine.planner.plan`."""
    text = normalise(goal[: screening.MAX_CHARACTERS + 1])
    tokens = tokenise(text)
    refused = screening.refusal(goal, text, tokens)
    if refused:
        return Draft(refusal=refused)
    samples = list(catalogue.samples.values())
    names = vocabulary.named(samples)
    tokens, _ = typos.correct(tokens, _words(samples, names))
    asking = Asking(answers)
    parses = _parses(text, tokens, samples, names, asking)
    best = _choose(parses, asking)
    if best is None:
        other = _by_actions(goal, catalogue, answers, zone)
        return other or Draft(questions=asking.questions[:MAX_QUESTIONS])
    asking.over(best.vocabulary.sample)
    _ask_unknown(best, samples, asking)
    request = gather(best, asking, samples, owner_email)
    request = _settle_reading(best, request, asking, samples, owner_email)
    _settle_sink(request, asking, owner_email)
    margin = _margin(parses)
    done = clauses(best, request)
    sure = confidence(best, request, done, margin)
    missing = _not_granted(request, catalogue)
    if missing:
        other = _by_actions(goal, catalogue, answers, zone)
        return other or Draft(clauses=done, refusal=missing)
    if asking.questions:
        return Draft(None, asking.questions[:MAX_QUESTIONS], min(sure, 0.5), done)
    return Draft(building.document(request, goal, zone, _noun(best)), [], sure, done)


def _by_actions(
    goal: str, catalogue: Catalogue, answers: Mapping[str, type_json], zone: str
) -> Draft | None:
    """Return what other actions than those of tables and mail do for the goal, if they do."""
    if not clause_planner.plugins(goal, catalogue) - _OWN_PLUGINS:
        return None
    return clause_planner.plan(goal, catalogue, answers=answers, zone=zone)


def _words(samples: list[TableSample], names: Names) -> set[str]:
    """Return all words of tables, columns and values, for correcting mistyped ones."""
    found = vocabulary.words() | {word for key in names for word in key}
    for sample in [*samples, MAILBOX]:
        for column in sample.columns:
            texts = (column.name, *(column.examples if column.kind == "text" else ()))
            found |= {word for text in texts for word in text.lower().split()}
    return found


def _parses(
    text: str, tokens: list[Token], samples: list[TableSample], names: Names, asking: Asking
) -> list[Parse]:
    """Return the readings over the likeliest tables, the best first."""
    left_out = asking.left_out()
    known = [vocabulary.build(sample) for sample in samples]
    keys = {key for _, _, key in vocabulary.spans(tokens)}
    known.sort(key=lambda one: _promise(one, keys, names), reverse=True)
    candidates = known[:MAX_CANDIDATES]
    if any(token.word in _MAILBOX_WORDS for token in tokens):
        candidates.append(vocabulary.build(MAILBOX))
    parses = [parse(text, tokens, one, names, left_out) for one in candidates]
    return sorted(parses, key=lambda one: one.cost)


def _promise(known: Vocabulary, keys: set[tuple[str, ...]], names: Names) -> int:
    own = (known.sample.table, known.sample.tab)
    by_name = sum(own in names[key] for key in keys if key in names)
    return 3 * by_name + sum(key in known.columns or key in known.values for key in keys)


def _choose(parses: list[Parse], asking: Asking) -> Parse | None:
    """Return the reading over the table that is meant, or None after asking."""
    if not parses:
        asking.table("table", [])
        return None
    labels = {label(one.vocabulary.sample): one for one in parses}
    unknown = [one for one in of(parses[0], Source) if not one.tables]
    if unknown or not _speaks_of(parses[0]) or _is_tie(parses):
        why = "Several tables fit equally well."
        if unknown:
            why = f'There is no table "{unknown[0].name}".'
        elif not _speaks_of(parses[0]):
            why = "The goal names no table, and no column of one."
        chosen = asking.choose("table", "Which table do you mean?", why, list(labels))
        return labels.get(chosen or "")
    return parses[0]


def _is_tie(parses: list[Parse]) -> bool:
    return len(parses) > 1 and _margin(parses) < TIE


def _margin(parses: list[Parse]) -> float:
    """Return how far the best reading is before the second, 0 to 1."""
    if len(parses) < 2:
        return 1.0
    shared = min(len(one.unknown) for one in parses[:2]) * UNKNOWN_COST  # says nothing
    best, second = (max(one.cost - shared, 1.0) for one in parses[:2])
    return (second - best) / second


def _speaks_of(parse: Parse) -> bool:
    """Say whether the goal names the table, its rows, or one of its values or columns."""
    if parse.names_table or any(
        edge.tag in {"FILTER", "COLUMNS", "MAILSEARCH", "ENTITY", "EACHROW"} for edge in parse.cover
    ):
        return True
    return any(True for _ in parse.chart.tagged("ENTITY"))


def _ask_unknown(parse: Parse, samples: list[TableSample], asking: Asking) -> None:
    for start, end in parse.unknown:
        text = parse.chart.between(start, end)
        before = max(
            (edge.end for edge in parse.chart.tagged("BREAK") if edge.end <= start), default=0
        )
        after = min(
            (edge.start for edge in parse.chart.tagged("BREAK") if edge.start >= end),
            default=len(parse.chart.tokens),
        )
        asking.unclear(text, parse.chart.between(before, after))
    for edge in parse.cover:
        if edge.tag == "VAGUE" and not of(parse, Window):
            asking.unclear(edge.value, parse.chart.text)
    for source in of(parse, Append):
        if not source.tables:
            asking.table("target", samples)


def _settle_reading(
    parse: Parse, request: Request, asking: Asking, samples: list[TableSample], owner: str
) -> Request:
    """Ask which of two readings is meant, where the goal has two."""
    if asking.questions:
        return request
    other = other_reading(parse, request, asking.answers, samples, owner)
    if other is None:
        return request
    options = difference(request, other)
    chosen = asking.choose(
        "reading", "Which do you mean?", "The goal can be read in two ways.", options
    )
    return other if chosen == options[1] else request


def _settle_sink(request: Request, asking: Asking, owner_email: str) -> None:
    """Decide where the result goes when the goal does not say it."""
    if not request.mails and request.target is None:
        answer = asking.choose(
            "sink", "What shall I do with the result?", "The goal does not say it.",
            [MAIL_ME, NO_SINK],
        )  # fmt: skip
        request.mails = answer == MAIL_ME
    if request.mails and not request.to and request.asked_to is None:
        request.to = [owner_email]


def _not_granted(request: Request, catalogue: Catalogue) -> str | None:
    needed = ["mail.search" if request.search else "tables.read_range"]
    needed += ["mail.send"] if request.mails else []
    needed += ["tables.append_rows"] if request.target else []
    missing = [
        name for name in needed if name not in catalogue.actions or not catalogue.is_granted(name)
    ]
    if not missing:
        return None
    return f"This goal needs {' and '.join(missing)}, which you have not been granted."


def _noun(parse: Parse) -> str:
    """Return what the goal calls the rows, e.g. Tasks."""
    found = min(parse.chart.tagged("ENTITY"), key=lambda edge: edge.start, default=None)
    word = parse.chart.between(found.start, found.end) if found else parse.vocabulary.sample.tab
    plural = word if word.endswith("s") else f"{word}s"
    return plural[:1].upper() + plural[1:].lower() if found else word
