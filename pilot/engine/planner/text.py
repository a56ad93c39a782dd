"""The goal as tokens: words with their stems, numbers, quotes, addresses, signs."""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, cast

Kind = Literal["word", "number", "quote", "address", "url", "date", "sign", "break"]

_SIGNS = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u00b4": "'", "`": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"',
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": " - ", "\u2014": " - ",
    "\u2026": ".", "\u2192": " -> ", "\u21d2": " -> ", "\u2265": ">=", "\u2264": "<=",
    "\u2260": "!=", "\u2208": " in ", "\u00a0": " ",
}  # fmt: skip
_CONTRACTIONS = {
    "can't": "can not", "cant": "can not", "won't": "will not", "shan't": "shall not",
    "i'm": "i am", "let's": "let us", "dont": "do not", "doesnt": "does not", "isnt": "is not",
    "arent": "are not", "thats": "that is", "theres": "there is", "whats": "what is",
    "whos": "who is", "wont": "will not", "didnt": "did not", "cannot": "can not",
}  # fmt: skip
# What people type in a hurry, and slips that look like another word.
_SHORTHAND = {
    "teh": "the", "hte": "the", "wich": "which", "whith": "with", "w/": "with", "w/o": "without",
    "plz": "please", "plse": "please", "shud": "should", "shld": "should", "wud": "would",
    "cud": "could", "u": "you", "ur": "your", "n": "and", "nxt": "next", "tmrw": "tomorrow",
    "tmr": "tomorrow", "thru": "through", "b4": "before", "msg": "message", "addr": "address",
    "cn": "can", "wat": "what", "wht": "what", "wnt": "want", "whch": "which", "wth": "with",
    "frm": "from", "al": "all", "abt": "about", "r": "are", "tht": "that", "hv": "have",
    "hav": "have", "gv": "give", "snd": "send", "nd": "and", "adn": "and", "fo": "of", "ot": "to",
    "wks": "weeks", "evry": "every", "sht": "sheet", "dnt": "do not",
    "thnx": "thanks", "tnx": "thanks", "thanx": "thanks", "pleez": "please", "mailbx": "mailbox",
    "jst": "just", "onl": "only", "nbody": "nobody", "noone": "nobody", "ne1": "anyone",
    "1st": "first", "2nd": "second", "3rd": "third", "ther": "there",
    "2x": "twice", "1x": "once", "gimme": "give me", "lemme": "let me", "wanna": "want to",
    "gonna": "going to", "em": "them", "cols": "columns", "col": "column", "tbl": "table",
    "ppl": "people", "todays": "today", "tomorrows": "tomorrow", "2day": "today", "nada": "nothing",
    "2morrow": "tomorrow", "2moro": "tomorrow", "nothin": "nothing", "zilch": "nothing",
    "tday": "today", "thnks": "thanks", "ya": "you", "cuz": "because", "coz": "because",
    "thier": "their", "recip": "recipient",
    "recips": "recipients", "dup": "duplicate", "dups": "duplicates",
}  # fmt: skip
_UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty
    """
NUMBERS = {word: number for number, word in enumerate(_UNITS.split())} | {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100,
}  # fmt: skip
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip
MOST_DIGITS = 15  # of a number; what has more is the name of something
_TOKEN = re.compile(
    r"""(?P<quote>"[^"\n]{1,300}"|(?<![\w'])'(?=\S)[^'\n]{1,300}'(?!\w))
    |(?P<url>https?://[^\s<>"')]+)
    |(?P<address>(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\w)
    |(?P<date>\d{4}-\d\d-\d\d(?!\d))
    |(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?(?![\w]))
    |(?P<file>(?<!\w)[^\W\d]\w*(?:-\w+)*\.(?:csv|xlsx)\b)
    |(?P<word>\bw/(?:o(?!\w))?|[^\W_]+(?:_[^\W_]+)*(?:'(?=[^\W\d]))?(?:(?<=')[^\W\d]+)?)
    |(?P<sign>->|=>|==|!=|<>|>=|<=|[-=<>/|&+,:;()\[\]{}#%$*~])
    |(?P<break>[.?!]+|\n)""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Token:
    """One token; `start` and `end` are positions in the normalised goal."""

    text: str
    kind: Kind
    start: int
    end: int
    word: str = ""  # lower case, corrected
    stem: str = ""
    number: float | int | None = None
    capital: bool = False


def set_of(text: str) -> frozenset[str]:
    """Return the words of a text, which a blank divides."""
    return frozenset(text.split())


# What stands behind a verb that begins a sentence: "start the mail with ...".
OBJECTS = set_of("the a an it this my your with each every")


# "hi and critical" is no greeting
_HI = re.compile(r"\bhi(?= ?(?:/|&|\+|\||-|or\b|and\b)* ?(?:crit|prio))", re.IGNORECASE)

_THIS_DAY = re.compile(r"\b(?:the )?(?:current|present) day\b|\btoday's date\b", re.IGNORECASE)


def normalise(goal: str) -> str:
    """Return the goal in NFC with plain signs and folded spaces; line breaks stay."""
    text = unicodedata.normalize("NFC", goal.replace("\r\n", "\n").replace("\r", "\n"))
    text = "".join(_SIGNS.get(sign, sign) for sign in text)
    text = re.sub(r"\b(e|to)-(mail|do)", r"\1\2", text, flags=re.IGNORECASE)
    text = _HI.sub("high", text)
    text = _THIS_DAY.sub("today", text)
    text = re.sub(
        r"\b(excl|incl|max|min|approx|prio|asap|resp)\.(?=\s)", r"\1", text, flags=re.IGNORECASE
    )
    text = re.sub(r"(^|\n|[.;:,!?]) *\(?\d{1,2}[.)] +(?=[A-Za-z])", r"\1\n", text)
    text = re.sub(
        r"\b(i)\.\s?e\b\.?|\b(e)\.\s?g\b\.?", lambda one: "i e" if one[1] else "e g", text
    )
    text = re.sub(r"(?<=\w) ?(?<!\.)\.\.(?!\.) ?(?=[\w+])", " - ", text)  # tomorrow..Friday
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip()


def tokenise(text: str) -> list[Token]:
    """Return the tokens of a normalised goal; bullets and hyphens between words are left out."""
    tokens: list[Token] = []
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind == "sign" and _is_decoration(text, found.start(), found.end(), tokens):
            continue
        if kind == "break" and (not tokens or tokens[-1].kind == "break"):
            continue
        if kind == "word" and "_" in found.group():
            tokens += _snake(found)
            continue
        named = kind == "file" or (kind == "number" and len(found.group()) > MOST_DIGITS)
        tokens += _made(found, "word" if named else kind)
    return tokens


def with_word(token: Token, word: str) -> Token:
    """Return the token with a corrected word."""
    return replace(token, word=word, stem=stem(word), number=NUMBERS.get(word))


def ordinal(word: str) -> int | None:
    """Return 4 for "fourth" and "4th"."""
    if word in _ORDINALS:
        return _ORDINALS.index(word) + 1
    found = re.fullmatch(r"(\d{1,3})(?:st|nd|rd|th)", word)
    return int(found.group(1)) if found else None


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return what the inflections of an English word have in common."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        base = word.removesuffix(suffix)
        if base != word and len(base) > 2 and re.search("[aeiouy]", base):
            word = _undoubled(base)
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def _undoubled(base: str) -> str:
    return base[:-1] if base[-1] == base[-2] and base[-1] not in "lsz" else base


def _is_decoration(text: str, start: int, end: int, tokens: list[Token]) -> bool:
    """A bullet at the start of a line, a hyphen within a word, or emphasis."""
    sign = text[start:end]
    if sign in {"*", "~", "#"}:
        return True
    if sign != "-":
        return False
    inside = start > 0 and text[start - 1].isalnum() and text[end : end + 1].isalnum()
    both_numbers = inside and text[start - 1].isdigit() and text[end].isdigit()
    return (inside and not both_numbers) or not tokens or tokens[-1].kind == "break"


def _made(found: re.Match[str], kind: str) -> list[Token]:
    text, start, end = found.group(), found.start(), found.end()
    if kind == "number":
        value = float(text.replace(",", ""))
        number = int(value) if value.is_integer() else value
        return [Token(text, "number", start, end, text, text, number)]
    if kind != "word":
        plain = text[1:-1] if kind == "quote" else text
        word = "pipe" if plain == "|" else plain.lower()  # "|" divides alternatives in patterns
        word = f'"{word}"' if kind == "quote" else word  # what is quoted is no word of the goal
        return [Token(plain, cast("Kind", kind), start, end, word)]
    return [
        Token(text, "word", start, end, word, stem(word), NUMBERS.get(word), text[:1].isupper())
        for word in _expanded(text.lower())
    ]


def _snake(found: re.Match[str]) -> list[Token]:
    """Return "end_date" as two words."""
    tokens: list[Token] = []
    for part in re.finditer(r"[^_]+", found.group()):
        text, start = part.group(), found.start() + part.start()
        word = text.lower()
        counts = word.isdecimal() and len(word) <= MOST_DIGITS
        number = int(word) if counts else NUMBERS.get(word)
        kind: Kind = "number" if counts else "word"
        end = start + len(text)
        capital = text[:1].isupper()
        tokens.append(Token(text, kind, start, end, word, stem(word), number, capital))
    return tokens


def _expanded(word: str) -> list[str]:
    """Return "don't" as two words; a possessive loses its ending."""
    if word in _CONTRACTIONS or word in _SHORTHAND:
        return (_CONTRACTIONS.get(word) or _SHORTHAND[word]).split()
    if word.endswith("n't"):
        return [word[:-3], "not"]
    head, _, tail = word.partition("'")
    ending = {"d": "would", "ll": "will", "ve": "have", "re": "are", "m": "am"}.get(tail)
    if tail == "s" and head in {"it", "that", "there", "what", "who", "here", "nothing", "which"}:
        ending = "is"
    return [head, ending] if ending else [head]
