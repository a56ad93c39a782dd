"""Words as the clause planner compares them: stems, and verbs that ask for the same."""

from pilot.engine.shortlist import tokens, word_set

_ENDINGS = (
    *("ations", "ation", "ings", "ing", "ions", "ion", "ments", "ment", "ers", "ies", "ors"),
    *("or", "er", "ed", "es", "al", "ly", "e", "s", "y"),
)
_SHORTEST_STEM = 4
_SAME = (
    "find search locate look browse discover",
    "get fetch retrieve obtain show give tell list display return provide",
    "buy purchase order book reserve",
    "create make generate",
    "delete remove cancel erase",
    "send forward",
    "calculate compute determine",
    "compare check verify validate",
    "play watch listen stream",
    "recommend suggest",
)
_VERBS = (
    "find search locate look browse get fetch retrieve obtain show give tell list display return "
    "provide buy purchase order book reserve create make generate delete remove cancel send "
    "forward calculate compute determine compare check verify validate play watch listen "
    "translate recommend convert encrypt decrypt analyze analyse schedule execute run add record "
    "open close start stop write read post publish upload download share update change set move "
    "copy save store notify remind email mail call invite assign extract summarize count sum sort "
    "filter merge plan estimate track monitor identify classify tag help compile arrange print "
    "append insert text rate watch"
)
# Nouns as often as verbs: they begin a clause only before what a verb takes.
NOUN_VERBS = word_set(
    "email call text order track plan book play record list share watch tag store post check rate "
    "mail run show print help return returns returning start starting stop set change"
)
PREPOSITIONS = word_set(
    "of for on with from in at between by using about based near whose to into within over as "
    "where who which that under including include"
)


def stem(word: str) -> str:
    """Return what the forms of a lower-case word share; equal forms are all that matters."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word[: -len(ending)]
            break
    doubled = len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "sl"
    return word[:-1] if doubled else word


def _forms(verb: str) -> list[str]:
    """Return a verb and its forms; nouns made of it, as "location", mean something else."""
    root = verb.removesuffix("e")
    return [verb, f"{verb}s", f"{verb}es", f"{root}ed", f"{root}ing", f"{verb}{verb[-1]}ing"]


_MEANT = {
    form: stem(group.split()[0])
    for group in _SAME
    for verb in group.split()
    for form in _forms(verb)
}


def normal(word: str) -> str:
    """Return the form under which a lower-case word is compared."""
    root = stem(word)
    return _MEANT.get(word) or _MEANT.get(root, root)


def normals(text: str) -> list[str]:
    """Return the words of a text as they are compared."""
    return [normal(word) for word in tokens(text)]


VERBS = frozenset(normal(word) for word in _VERBS.split())
# Verbs that say little about which action is meant.
PLAIN = frozenset(normal(word) for word in ("find", "get", "create", "calculate", "help"))
READS = frozenset(normal(word) for word in ("find", "get", "check", "read", "look"))
# Verbs that name what is sent.
DELIVERS = frozenset(normal(word) for word in ("mail", "email", "text", "message"))
