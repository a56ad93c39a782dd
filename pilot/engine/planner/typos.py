"""Corrects mistyped words that can mean only one known word."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from pilot.engine.planner import lexicon
from pilot.engine.planner.parsing import GRAMMAR_WORDS
from pilot.engine.planner.text import Token, set_of, stem, with_word

# Good English that looks like a mistyped word of the planner.
_RIGHT = set_of(
    """
    here hear than them then there their were where wear lost last least cost coast past paste
    late later data tale tall call cell sell sail said paid same some sale sales form farm firm
    sage cage page wage stare stale state brand brown team term text test best rest nest hight
    sight tight fight light might night right near fear hear dear year bear
    """
)


def correct(tokens: list[Token], names: Iterable[str]) -> tuple[list[Token], dict[str, str]]:
    """Return the tokens with corrected words, and the corrections by the word as typed.

    A word is corrected when one edit (two in long words) leads to words of one single stem; the
    first letter must be right, unless two letters are swapped.

    Args:
        tokens: of the goal.
        names: words of tables, columns and values.
    """
    known = {word for word in (*lexicon.words(), *GRAMMAR_WORDS) if word.isalpha()}
    plain = frozenset(known)
    known |= {word for word in names if word.isalpha()}
    stems = {stem(word) for word in known}
    known |= {f"{word}s" for word in known if len(word) > 3 and not word.endswith("s")}
    corrections: dict[str, str] = {}
    corrected: list[Token] = []
    meant_so = _sounds(tokens)
    for token in (part for one in meant_so for part in _parted(one, known, stems)):
        meant = None
        if _is_strange(token, known, stems):
            meant = _meant(token.word, known, name=token.capital)
            if meant is None and not token.capital:  # rather a word than somebody's name
                meant = _meant(token.word, set(plain), name=False)
        if meant is not None:
            corrections[token.text] = meant
        corrected.append(token if meant is None else with_word(token, meant))
    return corrected, corrections


def _sounds(tokens: list[Token]) -> list[Token]:
    """Return "2 ann@example.com" as "to" and "4 me" as "for"."""
    found: list[Token] = []
    for at, token in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        is_who = after is not None and (after.kind == "address" or after.word == "me")
        word = {"2": "to", "4": "for"}.get(token.text) if is_who else None
        found.append(token if word is None else replace(with_word(token, word), kind="word"))
    return found


def _with_unit(token: Token, number: str, unit: str) -> list[Token]:
    """Return "3d" as a number and a unit."""
    word = "days" if unit.startswith("d") else "weeks"
    middle = token.start + len(number)
    return [
        Token(number, "number", token.start, middle, number, number, int(number)),
        replace(with_word(token, word), start=middle),
    ]


def _parted(token: Token, known: set[str], stems: set[str]) -> list[Token]:
    """Return "stage4", "3d" and "5k" as a number with its word."""
    if token.kind != "word" or token.word in known:
        return [token]
    measured = re.fullmatch(r"(\d{1,4})(d|days?|w|wks?|weeks?)", token.word)
    if measured is not None:
        return _with_unit(token, *measured.groups())
    thousands = re.fullmatch(r"(\d{1,4})k", token.word)
    if thousands is not None:
        number = f"{thousands.group(1)}000"
        return [replace(token, kind="number", word=number, stem=number, number=int(number))]
    found = re.fullmatch(r"([a-z]{3,})(\d{1,6})", token.word)
    if found is None:
        return [token]
    head, number = found.groups()
    if head not in known and stem(head) not in stems:
        return [token]
    middle = token.start + len(head)
    word = replace(with_word(token, head), text=token.text[: len(head)], end=middle)
    return [word, Token(number, "number", middle, token.end, number, number, int(number))]


def _is_strange(token: Token, known: set[str], stems: set[str]) -> bool:
    if token.kind != "word" or not token.word.isalpha() or token.number is not None:
        return False
    word = token.word
    if word in known or token.stem in stems or word in _RIGHT:
        return False
    return len(word) >= (4 if token.capital else 3)


def _meant(word: str, known: set[str], *, name: bool) -> str | None:
    swapped = {
        word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)
    } & known
    if len({stem(one) for one in swapped}) == 1:
        return min(swapped)
    if len(word) < (6 if name else 3):  # a short word with a capital may be anybody's name
        return None
    near = [one for one in known if one[0] == word[0] and abs(len(one) - len(word)) <= 2]
    for bound in (1, 2) if len(word) > 7 else (1,):
        found = {one for one in near if len(one) > 3 and distance(one, word) <= bound}
        if len(word) < 5:  # another letter makes another word of it: link, line; car, care
            found = {one for one in found if len(one) > len(word) and one not in _empty_words()}
        if found:
            return (
                min(found, key=lambda one: (abs(len(one) - len(word)), one))
                if len({stem(one) for one in found}) == 1
                else None
            )
    return None


@cache
def _empty_words() -> frozenset[str]:
    """Return the words that say nothing: no short word may silently become one."""
    tags = lexicon.phrases()
    empty = {"FILLER"}
    return frozenset(word for word in lexicon.words() if tags.get((stem(word),), set()) & empty)


def distance(left: str, right: str) -> int:
    """Return the edits between two words, a swap of neighbours being one (Damerau)."""
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
