"""Sentences and tails that only say why: they ask for nothing and hold nothing to act on."""

from collections.abc import Iterator

from pilot.engine.planner.chart import Chart, Edge

_PURPOSE = {
    ("so", "that"), ("because",), ("in", "order", "to"), ("as", "i"), ("as", "we"), ("since", "i"),
    ("since", "we"), ("so", "i"), ("so", "we"), ("so", "nobody"), ("so", "nothing"),
    ("to", "avoid"),
}  # fmt: skip
_SUBJECTS = {"i", "we", "our", "my", "it", "this", "there", "deadlines", "things", "nobody"}
# What such a sentence must not hold: then it may be a wish.
_HARD = ("FILTER", "WINDOW", "COLUMNS", "RECIPIENTS", "ADDR", "QUOTE", "NUM", "URL", "VAL", "SPAN",
         "EMPTY", "APPROVAL", "SUBJECT", "NEGATION", "NAME", "UNIQUE", "LIMIT", "ORDER", "APPEND",
         "DELETE", "UNABLE", "SHEET")  # fmt: skip
_WISHES = {
    "needs", "wants", "expects", "asks", "summary", "gets", "receives",
    "please", "need", "want", "must", "should", "also", "would", "like", "could", "can", "shall",
    "text", "sms", "post", "call", "upload", "print", "delete", "update", "change", "attach", "if",
    "unless", "only", "not", "no", "without", "except", "then", "and", "or", "each", "every",
    "forward", "copy", "cc", "draft", "schedule", "slack", "create", "make", "write", "him", "her",
}  # fmt: skip
_ARTICLES = {"the", "our", "my", "their", "some", "many", "most", "a", "people", "everybody"}
_PLAIN = ("FILLER", "VAL", "COL", "SHEET", "TABLEWORD", "READ", "BLANK", "NUM", "LISTNOUN")
_BEFORE_VERBS = {"to", "we", "i", "they", "often", "always", "sometimes", "not", "never", "keep"}
_WHYS = {
    "purpose",
    "reason",
    "background",
    "context",
    "why",
    "aim",
    "goal",
    "objective",
    "intention",
}
_STATES = {
    "have", "am", "are", "is", "keep", "manage", "run", "lead", "maintain", "track", "work", "lose",
    "forget", "miss", "struggle", "use", "always", "often", "tend", "hate", "love", "tire", "try",
    "get", "look", "spend", "preparing", "prepare", "planning", "working", "writing", "wondering",
    "trying", "do", "responsible", "plan", "prefer", "usually", "sometimes", "been",
    "used", "check", "overlook", "ignore", "happens",
}  # fmt: skip


def backgrounds(chart: Chart, own: tuple[str, str]) -> Iterator[Edge]:
    """Yield an edge for each sentence, or tail of one, that can be passed over.

    Args:
        chart: all other edges.
        own: table and tab of the reading; the name of another table is a wish.
    """
    start = 0
    for at, token in enumerate(chart.tokens):
        last = at == len(chart.tokens) - 1
        if token.kind == "break" or token.word in {";", ":"} or last:
            end = at + 1 if last and token.kind != "break" else at
            yield from _sentence(chart, start, end, own)
            start = at + 1


def _sentence(chart: Chart, start: int, end: int, own: tuple[str, str]) -> Iterator[Edge]:
    words = [token.word for token in chart.tokens[start:end]]
    for at in range(start, end):
        begins = at == start or words[at - start - 1] in {",", "-", "("}
        if begins and (_is_statement(chart, at, end) or (at == start and _follows(chart, start))):
            yield from _statement(chart, at, end, own)
        tail = tuple(words[at - start : at - start + 3])
        is_purpose = any(tail[: len(phrase)] == phrase for phrase in _PURPOSE)
        if at > start and is_purpose:
            for cut in _cuts(chart, at, end):
                if _is_harmless(chart, at, cut, {"can", "and", "not", "no", "or"}, own):
                    yield Edge("BACKGROUND", at, cut)
                    break


def _follows(chart: Chart, start: int) -> bool:
    """Say whether a label such as "Purpose:" stands before."""
    before = [token.word for token in chart.tokens[max(start - 2, 0) : start]]
    return len(before) == 2 and before[1] == ":" and before[0] in _WHYS


def _is_statement(chart: Chart, start: int, end: int) -> bool:
    """Say whether a clause begins like "we keep ..." or "the sales meeting is ..."."""
    words = [token.word for token in chart.tokens[start : min(end, start + 5)]]
    if words[0] in _SUBJECTS:
        return any(_is_state(word) for word in words[:4])
    if words[0] not in _ARTICLES:
        return False
    at = next((at for at, word in enumerate(words) if _is_state(word)), 0)
    tags = ("ENTITY", "ROWNOUN", "LISTNOUN", "MAILNOUN", "COL", "SHEET", "VAL")
    return at > 1 and not any(
        chart.at(start + place, tag)
        for place in range(1, at)
        for tag in tags
        if not chart.at(start + place, "ROLEWORD")
    )


def _cuts(chart: Chart, start: int, end: int) -> Iterator[int]:
    """Yield where a statement can end: the end of the sentence, or before "and"."""
    for cut in range(end, start + 2, -1):
        if cut == end or chart.tokens[cut].word in {"and", ",", "so", "but", "-", ")"}:
            yield cut


def _statement(chart: Chart, start: int, end: int, own: tuple[str, str]) -> Iterator[Edge]:
    for cut in _cuts(chart, start, end):
        if _is_harmless(chart, start, cut, {"and", "or", "not", "no"}, own):
            yield Edge("BACKGROUND", start, cut)
            break


def _is_harmless(
    chart: Chart, start: int, end: int, allowed: set[str], own: tuple[str, str]
) -> bool:
    words = {token.word for token in chart.tokens[start:end]}
    if (words - allowed) & _WISHES:
        return False
    hard = [tag for tag in _HARD if not (tag == "NEGATION" and words & allowed & {"not", "no"})]
    return not any(
        edge.end <= end and not (edge.tag == "SHEET" and _is_harmless_name(chart, edge, own))
        for at in range(start, end)
        for tag in hard
        for edge in chart.at(at, tag)
    ) and not _is_marked(chart, start, end)


def _is_harmless_name(chart: Chart, edge: Edge, own: tuple[str, str]) -> bool:
    """Say whether a table's name is that of the one read, or a word for people."""
    return own in edge.value or bool(chart.at(edge.start, "ROLEWORD"))


def _is_state(word: str) -> bool:
    return word in _STATES or word.removesuffix("s") in _STATES


def _is_marked(chart: Chart, start: int, end: int) -> bool:
    """Say whether a word that nothing knows stands before one for rows: the marketing tasks."""
    for at in range(start + 1, end):
        is_row = any(edge.end <= end for edge in chart.at(at, "ENTITY"))
        before = chart.tokens[at - 1]
        after_verb = at - 2 >= start and chart.tokens[at - 2].word in _BEFORE_VERBS
        plain = before.kind != "word" or any(chart.at(at - 1, tag) for tag in _PLAIN)
        if is_row and not plain and not after_verb:
            return True
    return False
