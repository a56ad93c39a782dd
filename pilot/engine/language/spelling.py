"""Finds the name that a mistyped one surely or probably means."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

MAX_SURE_EDITS = 2
MAX_LETTERS = 80  # of a name that is looked for
# Among more names nobody looks for one: each costs time, and the list is no hint any more.
MAX_NAMES = 200


def edits(left: str, right: str) -> int:
    """Return how many letters to insert, delete, replace or swap with the next.

    The restricted Damerau-Levenshtein distance ("optimal string alignment").
    """
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` names that look like `word`, the likeliest first."""
    names = list(known)
    few = names if len(names) <= MAX_NAMES else []
    return get_close_matches(word[:MAX_LETTERS], few, count, 0.5)


def meant(word: str, known: Iterable[str]) -> str | None:
    """Return the only name that `word` can mean, or None.

    That is the name equal but for case and punctuation (`isUnread` means `unread`), else the single
    one within two edits; of short names, within one.
    """
    names = [name for name in known if name != word]
    if len(word) > MAX_LETTERS or len(names) > MAX_NAMES:
        return None
    same = [name for name in names if _plain(name) == _plain(word)]
    if len(same) == 1:
        return same[0]
    bound = MAX_SURE_EDITS if len(word) > 4 else 1
    near = [name for name in names if abs(len(name) - len(word)) <= bound]
    near = [name for name in near if edits(word.lower(), name.lower()) <= bound]
    return near[0] if len(near) == 1 else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest names, or some of those there are; may be empty."""
    names = list(known)
    near = nearest(word, names)
    if near:
        return f" Nearest: {', '.join(near)}."
    return f" Present: {', '.join(names[:10])}." if names else ""


def _plain(name: str) -> str:
    return re.sub(r"^is(?=[A-Z_])|[^A-Za-z0-9]", "", name).lower()
