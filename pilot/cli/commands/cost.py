"""Costs: what calls to models took in a period, grouped; sums of the ledger."""

from argparse import ArgumentParser, Namespace
from datetime import date
from typing import Any

from pilot import db, money, strictjson
from pilot.cli import acting
from pilot.cli.terminal import say, show
from pilot.engine.people.levels import VIEW
from pilot.engine.triggers import zones
from pilot.errors import InvalidError, Issue
from pilot.reports import costs
from pilot.reports.costs import DIMENSIONS, Asked

DAYS = 30


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    report = actions.add_parser("report", help="sum up the calls that the person may see")
    report.add_argument("--since", metavar="DATE", help=f"the first day (default: of {DAYS})")
    report.add_argument("--until", metavar="DATE", help="the last day (default: today there)")
    report.add_argument("--zone", default="UTC", help="in which days begin (default: UTC)")
    report.add_argument("--group", choices=list(DIMENSIONS), default="day")
    report.set_defaults(run=_report, needs=VIEW)


def _report(args: Namespace) -> None:
    acting.connect()
    person = acting.person(args)
    asked = _asked(args)
    with db.reading(person.id, sees_all=acting.sees_all(person)) as session:
        found = costs.costs(session, asked)
    if args.json:
        show(strictjson.plain(costs.told(found)))
        return
    for line in found.lines:
        say(f"{line.name:<32} {_words(line.spent)}")
    say(f"{'Total':<32} {_words(found.total)}")
    if found.moved:
        say("Old calls are deleted; their sums begin at the midnights of other zones, so some")
        say("count in the day before.")
    kept = found.cached
    if kept.hits:
        saved = f"{kept.tokens:,} tokens  {money.total(kept.usd, kept.unpriced)} saved"
        say(f"{'Steps with an earlier result':<32} {kept.hits:,} steps  {saved}")


def _asked(args: Namespace) -> Asked:
    if args.zone not in zones.names():
        message = f"There is no zone {args.zone!r}: name one like Europe/Berlin."
        raise InvalidError([Issue("zone", "/zone", message)])
    until = _day(args.until, "until") or zones.today(args.zone)
    since = _day(args.since, "since") or costs.days_before(until, DAYS)
    if wrong := costs.fault(since, until):
        raise InvalidError([Issue("date", "/since", f"{wrong}.")])
    return Asked(since, until, args.zone, args.group)


def _day(text: str | None, name: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        message = f"--{name} {text!r} is no date such as 2027-01-31."
        raise InvalidError([Issue("date", f"/{name}", message, "YYYY-MM-DD")]) from None


def _words(spent: Any) -> str:
    cost = money.total(spent.cost, spent.unpriced)
    return f"{spent.calls:,} calls  {spent.tokens:,} tokens  {cost}"
