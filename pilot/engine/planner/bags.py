"""Facts whose words come in any order: how rows are sorted, one mail each, whether today counts.

A bag is a run of allowed words that holds what makes the fact; the grammar has no order for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pilot.engine.planner.chart import Chart, Edge
from pilot.engine.planner.facts import ColumnRef, Order, Sense, Today
from pilot.engine.planner.text import set_of

MAX_TOKENS = 16
Begun = list[set[tuple[str, int]]]  # by token: tags, with their ends, of the edges from it


@dataclass(frozen=True)
class Run:
    """Tokens `start` to `end`, with the words and the tags that they have."""

    chart: Chart
    start: int
    end: int
    words: tuple[str, ...]
    begun: Begun

    @cached_property
    def tags(self) -> frozenset[str]:
        """The tags of all edges that are inside."""
        here = self.begun[self.start : self.end]
        return frozenset(tag for begun in here for tag, last in begun if last <= self.end)

    def has(self, *names: str) -> bool:
        """Say whether one of these words, or (upper case) tags, is in the run."""
        return any(name in self.tags if name.isupper() else name in self.words for name in names)


_DATES = frozenset({"date", "empty"})
Check = Callable[[Run], object]

_ORDER_TAGS = (
    "SORT", "SOONEST", "OLDEST", "NEWEST", "LARGEST", "SMALLEST", "FIRSTPLACE", "ASCENDING",
    "DESCENDING", "COLREF", "ENDING", "STARTING",
)  # fmt: skip
_ORDER_WORDS = set_of(
    """
    the a an its their these those this that it them so with put place list have having show by
    on in of from to at and be is are should must come comes go goes coming going start starting
    begin beginning one ones task tasks row rows entry entries item items what which whatever
    order due according first top way such where please table result results being appear
    appears - : ( ) whose has have based after upon when they leading value values column date dates
    """
)
_NO_COLUMN = set_of("starting start begin beginning first end")
_TODAY_WORDS = set_of(
    """
    today not without excluding exclude excludes excluded except excl minus skip skipping ignore
    ignoring ignored leave leaving left out omit omitting omitted bar barring disregarding
    disregard counting count counts counted including include includes included incl considering
    considered starting start starts from itself be to is are as part the does do should must
    shall will would has itself no never one of them these those so but and it inclusive too
    also taken into account in range window period plus exempt day beginning begin on onwards
    with only after tomorrow counted's which that this ; i e : - don't aside , belong belongs
    bother ones anything due those later than end ends ending finish finishing finishes expire
    expires expiring wanted needed relevant interesting any
    """
)
_TODAY_OUT = set_of(
    """
    not without excluding exclude excludes excluded except excl minus skip skipping ignore
    ignoring ignored omit omitting omitted bar barring disregarding disregard never no exempt
    aside after left leave leaving bother
    """
)
_TODAY_IN = set_of(
    "including include includes included incl inclusive counting counts count plus starting"
)

_TODAY_LATER = set_of(
    """
    without excluding exclude excludes except excl minus skip skipping ignore ignoring omit
    omitting bar barring disregarding disregard leave leaving
    """
)
_TODAY_ENDING = set_of("end ends ending finish finishing finishes expire expires expiring due")
_TODAY_OPEN = set_of("not no never without")
_TODAY_NO_ENDS = set_of(", ; - : and the it of to in")


def add_bags(chart: Chart) -> None:
    """Add the edges of all bags; the edges of lexicon, columns and spans must be there."""
    tags = tags_of(chart)
    add_runs(
        chart,
        tags,
        "ORDER",
        (_ORDER_TAGS, _ORDER_WORDS),
        (_ORDER_TAGS, frozenset({"leading"})),
        _order,
    )
    today = (("ENTITY",), _TODAY_WORDS)
    add_runs(chart, tags, "TODAY", today, ((), _TODAY_WORDS), _today)


def tags_of(chart: Chart) -> list[frozenset[str]]:
    """Return for each token the tags of all edges over it."""
    found: list[set[str]] = [set() for _ in chart.tokens]
    for tag in chart.edges:
        for edge in chart.tagged(tag):
            for at in range(edge.start, edge.end):
                found[at].add(tag)
    return [frozenset(one) for one in found]


def _ends_of(chart: Chart) -> Begun:
    """Return for each token the tags, with their ends, of the edges that begin at it."""
    found: list[set[tuple[str, int]]] = [set() for _ in chart.tokens]
    for tag in chart.edges:
        for edge in chart.tagged(tag):
            found[edge.start].add((tag, edge.end))
    return found


def add_runs(
    chart: Chart,
    tags: list[frozenset[str]],
    tag: str,
    allowed: tuple[tuple[str, ...], frozenset[str]],
    ends: tuple[tuple[str, ...], frozenset[str]],
    check: Check,
) -> None:
    """Add an edge for each run of allowed tokens that begins and ends well and passes the check."""
    begun, end_tags = _ends_of(chart), frozenset(ends[0])
    words = tuple(token.word for token in chart.tokens)
    ending = [
        word in ends[1] or not over.isdisjoint(end_tags)
        for word, over in zip(words, tags, strict=True)
    ]
    for start, end in _runs(chart, tags, allowed):
        if ending[start] and ending[end - 1]:
            value = check(Run(chart, start, end, words[start:end], begun))
            if value is not None:
                chart.add(Edge(tag, start, end, value))


def _runs(
    chart: Chart, tags: list[frozenset[str]], allowed: tuple[tuple[str, ...], frozenset[str]]
) -> Iterator[tuple[int, int]]:
    """Yield start and end of every run of allowed tokens."""
    wanted, words = set(allowed[0]), allowed[1]
    fits = [bool(tags[at] & wanted) or token.word in words for at, token in enumerate(chart.tokens)]
    for start in range(len(fits)):
        for end in range(start + 1, min(start + MAX_TOKENS, len(fits)) + 1):
            if not fits[end - 1]:
                break
            yield start, end


def _order(run: Run) -> Order | None:
    """Return an order for a direction with a place or a column: soonest first, by End date."""
    up = run.has("SOONEST", "OLDEST", "SMALLEST", "ASCENDING")
    down = run.has("NEWEST", "LARGEST", "DESCENDING")
    first_to_end = run.has("ENDING") and run.has("FIRSTPLACE") and run.has("first", "soonest")
    placed = run.has(
        "FIRSTPLACE", "leading", "top", "start", "starting", "begin", "beginning", "SORT"
    )
    directed = run.has("ASCENDING", "DESCENDING") or ((up or down or first_to_end) and placed)
    column = _order_column(run)
    if column is not None and run.has("NEWEST", "OLDEST", "SOONEST") and column.kind not in _DATES:
        return None  # the newest contact is no order by names
    by_column = run.has("SORT") and (column is not None or run.has("ENDING"))
    if not (directed or by_column):
        return None
    up = up or (first_to_end and not down)
    if up and down and not run.has("ASCENDING", "DESCENDING"):
        return None
    descending: bool | None = None
    if up or down:
        descending = run.has("DESCENDING") or not up
    sense: Sense | None = "end" if column is None and run.has("ENDING", "SOONEST") else None
    sized = column is not None and run.has("LARGEST", "SMALLEST")
    return Order(column, sense, descending, sized=sized)


def _order_column(run: Run) -> ColumnRef | None:
    """Return the column to sort by: a date rather than what a row is called."""
    refs = [
        edge.value
        for at in range(run.start, run.end)
        for edge in run.chart.at(at, "COLREF")
        if edge.end <= run.end
        and not _is_part(run.chart, edge)
        and not (edge.end - edge.start == 1 and run.chart.tokens[at].word in _NO_COLUMN)
    ]
    dates = [ref for ref in refs if ref.kind == "date"]
    rows = {edge.value for edge in run.chart.tagged("ENTITY")}
    others = [ref for ref in refs if ref.name not in rows or run.has("SORT")]
    names = {ref.name for ref in dates or others}
    return (dates or others)[0] if len(names) == 1 else None


def _is_part(chart: Chart, edge: Edge) -> bool:
    """Say whether a longer name of a column holds this one."""
    length = edge.end - edge.start
    return any(
        other.start <= edge.start
        and other.end >= edge.end
        and other.end - other.start > length
        and other.value != edge.value
        for other in chart.tagged("COLREF")
    )


def _today(run: Run) -> Today | None:
    words = set(run.words)
    ends = {run.words[0], run.words[-1]} & _TODAY_NO_ENDS
    if (
        ends
        or run.words[-1] in _TODAY_OPEN
        or ("today" not in words and not {"tomorrow", "starting"} <= words)
    ):
        return None
    if "today" in words and set(run.words[run.words.index("today") :]) & _TODAY_LATER:
        return None  # what comes behind is about something else
    if words & {"after", "later"} and words & _TODAY_ENDING:
        return None  # a window of its own
    if words & _TODAY_OUT and len(words) > 1:
        return Today(counts=False)
    return Today(counts=True) if words & _TODAY_IN and "today" in words else None
