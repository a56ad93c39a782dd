"""What shall not be there twice: rows, or people who get the mail; its words come in any order."""

from pilot.engine.planner.bags import Run, add_runs, tags_of
from pilot.engine.planner.chart import Chart
from pilot.engine.planner.facts import Unique
from pilot.engine.planner.text import set_of

_PEOPLE_TAGS = ("PERSON", "ANYONE", "EVERYONE", "DUPLICATE", "MAILNOUN", "LISTNOUN", "DELETE",
                "SEND", "NEGATION")  # fmt: skip
_PEOPLE_WORDS = set_of(
    """
    the a an of it this that them these those they to be is are should must shall may can will
    not no never get gets getting got receive receives receiving has have sent mailed see only
    just exactly more than once twice one two single same again double multiple several copy
    copies times time each every all both three even if so and but for per with in among amongst
    on list listed addressed even though please does do there ends up end up without being
    deduped deduplicate deduplicated dedupe unique distinct repeatedly either at most make making
    sure ensure case
    """
)
_MANY = ("twice", "once", "two", "double", "multiple", "several", "repeatedly", "again", "one",
         "single", "DUPLICATE", "deduplicate", "deduplicated", "dedupe", "deduped", "unique",
         "distinct")  # fmt: skip
_PEOPLE_ENDS = set_of(
    """
    twice once two double one single same each again multiple several repeatedly deduplicate
    copy deduplicated dedupe deduped unique distinct copies times time even not no only exactly
    most
    """
)

_ROWS_TAGS = ("DUPLICATE", "DELETE", "ROWNOUN", "ENTITY", "LISTNOUN", "NEGATION", "ANYONE")
_ONCE = set_of("once")
_DIFFERENT = set_of(
    """
    unique distinct dedupe deduped deduplicate deduplicated deduplication dedup
    deduping duplicate-free deduplicating
    """
)
_TWICE = set_of(
    """
    twice duplicate duplicates duplicated dupe dupes double doubles doubled doublets repeat
    repeats repeated repeating repetition repetitions identical doublet duplication duplications
    redundant redundancies
    """
)
_NOT = set_of("not no never without zero none nor free nothing sans n't minus")
_OUT = set_of(
    """
    remove removed removing removes drop dropped dropping drops skip skipped skipping skips delete
    deleted deleting deletes eliminate eliminated eliminating eliminates exclude excluded excluding
    excludes ignore ignored ignoring ignores discard discarded discarding omit omitted omitting
    filter filtered filtering strip stripped stripping out away avoid avoiding avoided clear
    cleared weed weeded merge merged merging collapse collapsed collapsing rid suppress suppressed
    leave left leaving throw thrown cut clean cleaned purge purged prevent hide hidden kick kicked
    prune toss tossed take taken condense condensed kill killed gone go goes banned unwanted
    forbidden prohibited undesired scrap scrapped ditch ditched
    """
)
_ROWS_WORDS = (
    _ONCE
    | _DIFFERENT
    | _TWICE
    | _NOT
    | _OUT
    | set_of(
        """
        the a an any all of it them in from there these those this that its should must shall may
        can could will would be is are was were been being do does to and so please make making
        sure ensure ensuring get gets getting got show shows showing shown list lists listed
        listing appear appears appearing appeared occur occurs occurring include included includes
        including contain contains containing contained come comes up turn turns have has having
        want wanted need needed each every single same only just exactly more than one two time
        times for if exist exists existing exact obvious per keep keeping kept entirely completely
        table list sheet result results which who whose also then first with when on by at most
        please possible well full whole identical true yes on off false still even
        allowed permitted wanted twice obviously of course whatsoever if need repeating repeat i
        you we see seen stand stands mention mentioned mentions print printed put within such
        anything something thing ever let lets remain remains remaining end ends : = checking
        against sent mailed emailed
        """
    )
)
_WHO = set_of("nobody anyone anybody everyone everybody noone")
_SHOWN = set_of(
    """
    appear appears appearing appeared list listed listing show shown showing occur occurs occurring
    include included including contain contained containing print printed
    """
)
_IN_TABLE = {"table", "list", "sheet"}
_EACH_ONCE = set_of("each once just only one time exactly")
_POLITE = set_of("please then also and so make sure ensure :")
_NO_END = set_of("and so then please also with to of the a an in which who when if on : = by for")


def add_uniques(chart: Chart) -> None:
    """Add what says that rows, or recipients, are there only once."""
    tags = tags_of(chart)
    people = (_PEOPLE_TAGS, _PEOPLE_WORDS)
    add_runs(chart, tags, "UNIQUE", people, (_PEOPLE_TAGS, _PEOPLE_ENDS), _people)
    rows = (_ROWS_TAGS, _ROWS_WORDS)
    add_runs(chart, tags, "UNIQUE", rows, rows, _rows)


def _people(run: Run) -> Unique | None:
    """Return "no duplicate recipients" for people and a number of mails."""
    each = run.has("EVERYONE") and not (run.has("ENTITY") or _row_words(run))
    people = run.has("PERSON", "ANYONE", "everyone", "everybody") or (
        each and set(run.words) - _EACH_ONCE
    )
    if not people or not run.has(*_MANY):
        return None
    counted = run.has(
        "twice", "once", "double", "two", "multiple", "several", "repeatedly", "again"
    )
    doubled = run.has(
        "DUPLICATE", "deduplicate", "deduplicated", "dedupe", "deduped", "unique", "distinct"
    )
    one_each = run.has("one", "single") and run.has("MAILNOUN", "copy", "LISTNOUN")
    return Unique("recipients") if counted or doubled or one_each else None


def _rows(run: Run) -> Unique | None:
    """Return "no row twice", or "no duplicates" of what is not said; None for "only doubles"."""
    words = set(run.words)
    is_open = run.words[-1] in _NO_END or run.words[0] in _NO_END - _POLITE
    is_off = words & {"false", "off"} or (words & {"no"} and words & {"unique", "dedupe", "dedup"})
    if is_open or is_off or run.has("PERSON") or words & _WHO:
        return None
    rows = Unique("rows" if _row_words(run) or words & _SHOWN or words & _IN_TABLE else None)
    return rows if _says_once(run, is_row=rows.of is not None) else None


def _says_once(run: Run, *, is_row: bool) -> bool:
    """Say whether doubles are denied, dropped, or one of each is asked for."""
    words = set(run.words)
    denied = bool(words & _NOT)
    dropped = bool(words & _OUT)
    once = _times(run, "once", "one", "single")
    if words & _TWICE or _times(run, "twice", "two", "than"):
        same = bool(words & {"same", "identical"}) and once
        named = bool(words & (_TWICE - {"twice"})) or is_row  # "not twice": perhaps the mail
        return named and (denied != dropped or same)
    if words & _DIFFERENT:
        return not denied and not dropped
    if not once or denied or dropped:
        return False
    each = bool(words & {"each", "every", "any", "same"})
    return (each and is_row) or ("each" in words and words <= _EACH_ONCE)


def _row_words(run: Run) -> set[str]:
    """Return the words of the run that name rows, not "it" or "them"."""
    vague = set_of("it them that this these those they all one ones what data any")
    return {
        run.chart.tokens[at].word
        for at in range(run.start, run.end)
        if (run.chart.at(at, "ENTITY") or run.chart.at(at, "ROWNOUN"))
        and run.chart.tokens[at].word not in vague
    }


def _times(run: Run, adverb: str, *numbers: str) -> bool:
    """Say whether the run says once (twice), or one (two) time(s), or more than once."""
    words = run.words
    if adverb in words and not (adverb == "once" and _more_than(words)):
        return True
    if adverb == "twice" and _more_than(words):
        return True
    return any(
        word in numbers and at + 1 < len(words) and words[at + 1] in {"time", "times"}
        for at, word in enumerate(words)
    )


def _more_than(words: tuple[str, ...]) -> bool:
    return any(
        words[at : at + 2] == ("more", "than") and words[at + 2 : at + 3] in {("once",), ("one",)}
        for at in range(len(words))
    )
