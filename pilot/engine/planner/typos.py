"""Corrects mistyped words that can mean only one known word."""

import re
from collections.abc import Iterable
from dataclasses import replace

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
    known |= {word for word in names if word.isalpha()}
    stems = {stem(word) for word in known}
    known |= {f"{word}s" for word in known if len(word) > 3 and not word.endswith("s")}
    corrections: dict[str, str] = {}
    corrected: list[Token] = []
    for token in (part for one in tokens for part in _parted(one, known, stems)):
        meant = None
        if _is_strange(token, known, stems):
            meant = _meant(token.word, known, name=token.capital)
        if meant is not None:
            corrections[token.text] = meant
        corrected.append(token if meant is None else with_word(token, meant))
    return corrected, corrections


def _parted(token: Token, known: set[str], stems: set[str]) -> list[Token]:
    """Return "stage4" as a word and a number, where the word is known and the whole is not."""
    found = re.fullmatch(r"([a-z]{3,})(\d{1,6})", token.word)
    if token.kind != "word" or found is None or token.word in known:
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
    if len(word) < (6 if name else 4):  # a short word with a capital may be anybody's name
        return None
    near = [one for one in known if one[0] == word[0] and abs(len(one) - len(word)) <= 2]
    for bound in (1, 2) if len(word) > 7 else (1,):
        found = {one for one in near if len(one) > 3 and distance(one, word) <= bound}
        if len(word) == 4:  # another letter makes another word of it: link, line
            found = {one for one in found if len(one) != 4}
        if found:
            return (
                min(found, key=lambda one: (abs(len(one) - len(word)), one))
                if len({stem(one) for one in found}) == 1
                else None
            )
    return None


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
