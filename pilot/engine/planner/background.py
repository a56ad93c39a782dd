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
    "please", "need", "want", "must", "should", "also", "would", "like", "could", "can", "shall",
    "text", "sms", "post", "call", "upload", "print", "delete", "update", "change", "attach", "if",
    "unless", "only", "not", "no", "without", "except", "then", "and", "or", "each", "every",
    "forward", "copy", "cc", "draft", "schedule", "slack", "create", "make", "write", "him", "her",
}  # fmt: skip
_STATES = {
    "have", "am", "are", "is", "keep", "manage", "run", "lead", "maintain", "track", "work", "lose",
    "forget", "miss", "struggle", "use", "always", "often", "tend", "hate", "love", "tire", "try",
    "get", "look", "spend", "preparing", "prepare", "planning", "working", "writing", "wondering",
    "trying", "do", "responsible", "plan", "prefer", "usually", "sometimes", "been",
}  # fmt: skip


def backgrounds(chart: Chart) -> Iterator[Edge]:
    """Yield an edge for each sentence, or tail of one, that can be passed over."""
    start = 0
    for at, token in enumerate(chart.tokens):
        last = at == len(chart.tokens) - 1
        if token.kind == "break" or token.word in {";", ":"} or last:
            end = at + 1 if last and token.kind != "break" else at
            yield from _sentence(chart, start, end)
            start = at + 1


def _sentence(chart: Chart, start: int, end: int) -> Iterator[Edge]:
    words = [token.word for token in chart.tokens[start:end]]
    if words and words[0] in _SUBJECTS and any(word in _STATES for word in words[:4]):
        for cut in range(end, start + 2, -1):
            joined = cut == end or words[cut - start] in {"and", ",", "so", "but"}
            if joined and _is_harmless(chart, start, cut, allowed={"and", "or", "not", "no"}):
                yield Edge("BACKGROUND", start, cut)
                break
    for at in range(start + 1, end):
        tail = tuple(words[at - start : at - start + 3])
        is_purpose = any(tail[: len(phrase)] == phrase for phrase in _PURPOSE)
        if is_purpose and _is_harmless(chart, at, end, allowed={"can", "and", "not", "no", "or"}):
            yield Edge("BACKGROUND", at, end)


def _is_harmless(chart: Chart, start: int, end: int, allowed: set[str]) -> bool:
    words = {token.word for token in chart.tokens[start:end]}
    if (words - allowed) & _WISHES:
        return False
    hard = [tag for tag in _HARD if not (tag == "NEGATION" and words & allowed & {"not", "no"})]
    return not any(
        edge.end <= end for at in range(start, end) for tag in hard for edge in chart.at(at, tag)
    )
