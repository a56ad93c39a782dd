"""HTML of others, made so that it is read in a time that its size bounds."""

import re

MOST_LEVELS = 1_000  # a reader of HTML looks through all open elements at each new one
_UNSEEN = re.compile(r"<(/?)(script|style|svg)\b[^<>]*>?", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
_UNCLOSED = frozenset(  # by themselves they hold nothing, or the next one ends them
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source"}
    | {"track", "wbr", "p", "li", "td", "th", "tr", "tbody", "thead", "tfoot", "dt", "dd", "option"}
)
_ANY_TAG = re.compile(r"<[^<>]*>?")


def shallow(html: str) -> str:
    """Return HTML without what nobody sees; without all tags if they are nested too deep."""
    seen = _without_unseen(html)
    return _ANY_TAG.sub("\n", seen) if _is_deep(seen) else seen


def _without_unseen(html: str) -> str:
    """Leave out scripts, styles and pictures: their tags nest by other rules."""
    kept, at = list[str](), 0
    begun: tuple[str, int] | None = None
    for found in _UNSEEN.finditer(html):
        name = found[2].lower()
        if not found[1]:
            begun = begun or (name, found.start())
        elif begun and begun[0] == name:
            kept.append(html[at : begun[1]])
            at, begun = found.end(), None
    return "".join([*kept, html[at:]])


def _is_deep(html: str) -> bool:
    """An end that does not fit what is open ends nothing: at worst, the depth seems larger."""
    levels: list[str] = []
    for found in _TAG.finditer(html):
        name = found[2].lower()
        if found[1]:
            if levels and levels[-1] == name:
                levels.pop()
        elif name not in _UNCLOSED:
            levels.append(name)
            if len(levels) > MOST_LEVELS:
                return True
    return False
