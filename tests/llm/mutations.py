"""Replies as models spoil them: cut, wrapped, misspelt, doubled, or right with wrong things inside.

All choices are made by a seeded chance, so a number names a case for ever.
"""

import html
import json
import random
import re
from collections.abc import Callable
from typing import Any

from tests.peer.answers import texts

JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, 2**53, 1e300, "", "null", "{{", "{{steps.x.output}}", "steps.a"),
    *("item.", "a" * 3_000, "\u202egnp", "\x1b[2J", "__class__", "../../etc", "'", "id/then"),
    *([], {}, [None], [[]], {"": None}, {"id": {"id": []}}, {"steps": []}, [{"name": []}]),
    *(["a", 1], {"type": "switch"}, "switch", "conditional", "scatter_gather", "action", "loop"),
)
DEPTHS = (60, 63, 65, 500, 1_000, 5_000, 5_000, 100_000)
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]')
SMART = str.maketrans({'"': "\u201c", "'": "\u2019"})
PROSE = "It's my plan: a \"good\" one, I think.\n{}\nShall I {{go on}}, or isn't it [right]?"
FENCES = ("```json\n{}\n```", "```\n{}```", "So:\n```JSON\n{}\n```\nDone.", "```{}", "~~~\n{}\n~~~")
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "1_000", "0x1F", "01", "+1", "1.")


def mutants(values: list[Any], count: int) -> list[tuple[str, Any, str]]:
    """Return so many cases: the mutation's name, the value that was meant, the reply."""
    names = list(MUTATIONS)
    return [_mutant(random.Random(n), names[n % len(names)], values) for n in range(count)]


def _mutant(chance: random.Random, name: str, values: list[Any]) -> tuple[str, Any, str]:
    value = chance.choice(values)
    indent, plain = chance.choice([None, 2]), chance.random() < 0.5
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    return name, value, MUTATIONS[name](chance, value, text)


def _cut(chance, _value, text):
    """Cut off the end, at any byte."""
    data = text.encode()
    return data[: chance.randrange(len(data))].decode(errors="surrogateescape")


def _cut_in_a_fence(chance, value, text):
    return f"```json\n{_cut(chance, value, text)}\n```"


def _headless(chance, _value, text):
    return text[chance.randrange(1, len(text)) :]


def _hole(chance, _value, text):
    """Lose a piece of the middle."""
    at = chance.randrange(len(text))
    return text[:at] + text[at + chance.randrange(1, 30) :]


def _fence(chance, _value, text):
    return chance.choice(FENCES).replace("{}", text)


def _prose(_chance, _value, text):
    return PROSE.replace("{}", text, 1)


def _single_quotes(_chance, _value, text):
    return text.replace('"', "'")


def _python(_chance, value, _text):
    return repr(value)


def _trailing_commas(_chance, value, _text):
    text = json.dumps(value, indent=1)  # texts have no line breaks in them
    return re.sub(r"(?<![\[{,])(\n *[\]}])", r",\1", text)


def _lost_comma(chance, _value, text):
    return _without(chance, text, ",")


def _lost_quote(chance, _value, text):
    return _without(chance, text, '"')


def _lost_bracket(chance, _value, text):
    return _without(chance, text, chance.choice("[]{}"))


def _without(chance, text, mark):
    """Lose a mark of the syntax, none within a text."""
    pieces = [piece.span() for piece in _PIECES.finditer(text)]
    if mark == '"':
        places = [end for begin, after in pieces if after - begin > 1 for end in (begin, after - 1)]
    else:
        places = [begin for begin, _ in pieces if text[begin] == mark]
    at = chance.choice(places or [len(text) - 1])
    return text[:at] + text[at + 1 :]


def _doubled_keys(chance, value, text):
    key = chance.choice(list(value))
    return text[:-1] + f", {json.dumps(key)}: {json.dumps(chance.choice(JUNK))}}}"


def _number(chance, _value, text):
    return text[:-1] + f', "more": {chance.choice(NUMBERS)}}}'


def _surrogate(chance, _value, text):
    half = chance.choice(["\ud800", "\udfff", "\\ud800", "\\u0000", "\x00"])
    at = chance.choice([at for at, one in enumerate(text) if one == '"']) + 1
    return text[:at] + half + text[at:]


def _two(chance, _value, text):
    return text + chance.choice(["", "\n", "\nOr better:\n", ", "]) + text


def _deep(chance, value, text):
    depth = chance.choice(DEPTHS)
    return chance.choice(
        [
            "[" * depth + text + "]" * depth,
            '{"steps":' * depth + text,
            json.dumps(value)[:-1] + ', "more": ' + "[" * depth + "]" * depth + "}",
        ]
    )


def _bom(_chance, _value, text):
    return "\ufeff" + text


def _comments(chance, _value, text):
    note = chance.choice(["// the plan\n", "/* the plan */", "# the plan\n", "<!-- plan -->"])
    return text.replace("{", "{" + note, chance.randrange(1, 4))


def _smart_quotes(_chance, _value, text):
    return text.translate(SMART)


def _raw_newlines(_chance, value, text):
    found = max(texts(value), key=len)
    inner = json.dumps(found)[1:-1]
    return text.replace(inner, inner.replace(" ", "\n"), 1)


def _entities(_chance, _value, text):
    return html.escape(text)


def _html(_chance, _value, text):
    return f"<html><body><pre>{text}</pre></body></html>"


def _unquoted_keys(_chance, value, text):
    return text.replace(f'"{next(iter(value))}"', next(iter(value)), 1)


def _text_of_json(_chance, _value, text):
    return json.dumps(text)


def _in_a_list(_chance, _value, text):
    return f"[{text}]"


def _in_an_object(chance, _value, text):
    return f'{{"{chance.choice(["answer", "workflow", "steps", "result"])}": {text}}}'


def _spaces(chance, _value, text):
    return chance.choice(["\u00a0", "\t\r\n", "\u2028", "\x0b", " " * 9_999]) + text + "\n\n"


def _nothing(chance, _value, _text):
    return chance.choice(["", " \n", "null", "{}", "[]", "0", '""', "I cannot.", "None", "\ufeff"])


def _noise(chance, _value, _text):
    marks = "{}[]\"',:\\`n0-e. \u00e9\U0001f600\ud800"
    return "".join(chance.choices(marks, k=chance.randrange(1, 400)))


def _typo(chance, _value, text):
    """Change a few characters."""
    found = list(text)
    for _ in range(chance.randrange(1, 5)):
        found[chance.randrange(len(found))] = chance.choice("{}[]\"',:\\x0 \n")
    return "".join(found)


def _junk_inside(chance, value, _text):
    """Put something wrong in the place of a part."""
    return _changed(chance, value, JUNK)


def _lost_part(chance, value, _text):
    return _changed(chance, value, ())


def _moved_part(chance, value, _text):
    return _changed(chance, value, [holder[key] for holder, key in _places(value)])


def _changed(chance, value, others):
    """Put one of the others in the place of parts of a value, or nothing."""
    copy = json.loads(json.dumps(value))
    for _ in range(chance.randrange(1, 4)):
        places = _places(copy)
        if not places:
            break
        holder, key = chance.choice(places)
        if others:
            holder[key] = json.loads(json.dumps(chance.choice(others)))
        else:
            del holder[key]
    return json.dumps(copy)


def _places(value) -> list[tuple[Any, Any]]:
    """Return every place within a value, as its holder and its key there."""
    found, todo = [], [value]
    while todo:
        one = todo.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        found += [(one, key) for key in keys]
        todo += [one[key] for key in keys if isinstance(one[key], dict | list)]
    return found


MUTATIONS: dict[str, Callable[[random.Random, Any, str], str]] = {
    one.__name__.strip("_"): one
    for one in (
        *(_cut, _cut_in_a_fence, _headless, _hole, _fence, _prose, _single_quotes, _python),
        *(_trailing_commas, _lost_comma, _lost_quote, _lost_bracket, _doubled_keys, _number),
        *(_surrogate, _two, _deep, _bom, _comments, _smart_quotes, _raw_newlines, _entities),
        *(_html, _unquoted_keys, _text_of_json, _in_a_list, _in_an_object, _spaces, _nothing),
        *(_noise, _typo, _junk_inside, _lost_part, _moved_part),
    )
}
# The reply means what was meant, or cannot be read: nothing in between.
FAITHFUL = frozenset(
    {"cut", "cut_in_a_fence", "fence", "prose", "python", "trailing_commas", "lost_comma"}
    | {"lost_quote", "lost_bracket", "doubled_keys", "surrogate", "two", "bom", "comments"}
    | {"smart_quotes", "entities", "html", "unquoted_keys", "spaces"}
)
# What must be read.
READ = frozenset({"fence", "python", "trailing_commas", "bom", "html", "spaces", "raw_newlines"})
