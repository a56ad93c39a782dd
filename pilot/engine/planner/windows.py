"""Settles which date column and which days a window of days means."""

from dataclasses import replace

from pilot.engine.planner.asking import Asking
from pilot.engine.planner.facts import DateWord, Sense, Span, Today, Window
from pilot.engine.planner.grammar_dates import BEFORE_TOO, EXACTLY, WEEK_FROM_NOW, WORKING_DAYS
from pilot.engine.planner.parsing import Parse

_END_HINTS = {"deadlin", "due", "end", "expir", "finish"}
_COUNTS = "Today counts"
_COUNTS_NOT = "Today does not count"


def settle_window(parse: Parse, window: Window, asking: Asking) -> tuple[str, Span] | None:
    """Return the date column and the days, or None after asking."""
    column = _column(parse, window, asking)
    span = _span(parse, window.span, asking)
    return None if column is None or span is None else (column, span)


def _column(parse: Parse, window: Window, asking: Asking) -> str | None:
    if window.column is not None:
        return asking.column(window.column, "the days")
    sense = window.sense or _nearest_sense(parse, window)
    created = parse.vocabulary.sense_columns("created")
    if sense is None and window.span.high > 0 and len(created) == 1:
        return asking.future_of(created[0], _typed(parse, window))
    return asking.date_column(parse.vocabulary, sense, "the days")


def _typed(parse: Parse, window: Window) -> str:
    """Return the words of a window."""
    edge = next(edge for edge in parse.facts if edge.value is window)
    return parse.chart.between(edge.start, edge.end)


def _nearest_sense(parse: Parse, window: Window) -> Sense | None:
    """Return the sense of the date word that stands nearest to the window."""
    at = next(edge.start for edge in parse.facts if edge.value is window)
    words = [edge for edge in parse.facts if isinstance(edge.value, DateWord)]
    if not words:
        hints = {token.stem for token in parse.chart.tokens} & _END_HINTS
        return "end" if hints else None
    found = min(words, key=lambda edge: abs(edge.start - at)).value
    return found.sense if isinstance(found, DateWord) else None


def _span(parse: Parse, span: Span, asking: Asking) -> Span | None:
    todays = [edge.value.counts for edge in parse.facts if isinstance(edge.value, Today)]
    if len(set(todays)) > 1:
        asking.contradiction("days with today and without today")
        return None
    counts = todays[0] if todays else None
    settled = _asked(span, asking, counts=counts)
    if settled is None or settled.low < 0:
        return settled
    if counts is None and settled.today is None:
        counts = _today_counts(settled, asking)
        if counts is None:
            return None
    if counts is None:
        return settled
    return replace(settled, low=max(settled.low, 1) if not counts else 0, today=True)


def _today_counts(span: Span, asking: Asking) -> bool | None:
    text = f"Does today count in the next {span.days} days?"
    answer = asking.choose("today", text, "The goal does not say it.", [_COUNTS, _COUNTS_NOT])
    return None if answer is None else answer == _COUNTS


def _asked(span: Span, asking: Asking, *, counts: bool | None) -> Span | None:
    """Return the span after the answer to what its words leave open."""
    if not span.ask or (span.ask == EXACTLY and counts is not None):
        low = 0 if span.ask else span.low
        days = span.high if span.ask else span.days
        return replace(span, low=low, days=days, ask="")
    first, last = f"{_COUNTS.lower()}", f"{_COUNTS_NOT.lower()}"
    number = span.days or span.high
    within = {
        f"Within {number} days, {first}": Span(0, number, number),
        f"Within {number} days, {last}": Span(1, number, number),
    }
    offers = {
        WORKING_DAYS: ("calendar days", "Working days cannot be counted here.", {}),
        EXACTLY: ("days", "It can be that day only, or any day until then.",
                  {f"Exactly {number} days from today": Span(number, number)}),
        WEEK_FROM_NOW: ("days", "Weeks and months of the calendar cannot be counted here.", {}),
        BEFORE_TOO: ("days", "It is open whether what ended before counts too.",
                     {"Until then, also what ended before": Span(-36_500, span.high)}),
    }  # fmt: skip
    what, why, more = offers[span.ask]
    options: dict[str, Span] = {**more, **within}
    answer = asking.choose("days", f"Which {what} do you mean?", why, list(options))
    return options.get(answer or "")
