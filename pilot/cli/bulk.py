"""`pilot execution bulk`: the same action for all executions that match a filter."""

from argparse import ArgumentParser, Namespace
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from pilot import db, money, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, confirmed, say, show
from pilot.engine.agents import agents
from pilot.engine.life import bulk
from pilot.engine.life.bulk import Action
from pilot.engine.people.levels import OPERATE, VIEW
from pilot.engine.status import ExecutionStatus
from pilot.reports import bulk as report
from pilot.reports import executions

NOT_DONE = 1
MODES = ("run", "test", "simulate")


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, text in (
        (Action.CANCEL, "stop all that match for good"),
        (Action.PAUSE, "pause all that match before their next steps"),
        (Action.RESUME, "let all that match go on"),
        (Action.RETRY, "run the failed steps of all that match again"),
    ):
        one = actions.add_parser(name, help=f"{text}, after showing how many")
        one.add_argument("--status", choices=[str(status) for status in ExecutionStatus])
        one.add_argument("--agent", metavar="AGENT", help="the agent's id or its exact name")
        one.add_argument("--query", default="", metavar="TEXT", help="in agent, error or id")
        one.add_argument("--mode", choices=MODES, help="without it, all but simulations")
        one.add_argument("--since", type=date.fromisoformat, metavar="DAY", help="UTC")
        one.add_argument("--until", type=date.fromisoformat, metavar="DAY", help="the last, UTC")
        one.add_argument("--within", choices=list(executions.WITHIN))
        one.add_argument("--money", choices=list(executions.OF_MONEY))
        one.add_argument("--preview", action="store_true", help="only show what it would meet")
        one.add_argument("--yes", action="store_true", help="do not ask at the terminal")
        one.add_argument("--key", help="the same key within 24 h does it once")
        one.set_defaults(run=_begin, needs=OPERATE, action=name)
    shown = actions.add_parser("show", help="how far it is: done, skipped and why, failed")
    shown.add_argument("bulk", type=UUID)
    shown.set_defaults(run=_show, needs=VIEW)


def _begin(args: Namespace) -> int:
    acting.connect()
    person = acting.person(args)
    sees_all = acting.sees_all(person)
    with db.reading(person.id, sees_all=sees_all) as session:
        filters = _filters(session, args)
        matching = partial(executions.matching, filters=filters)
        found = report.preview(session, args.action, matching)
    if not args.json:
        _tell(found)
    if args.preview:
        if args.json:
            show(strictjson.plain(found.facts()))
        return 0
    asks = f"{args.action.capitalize()} {found.can.count:,} of them?"
    if found.can.count and not confirmed(asks, yes=args.yes):
        return NOT_DONE
    asked = bulk.Asked(args.action, matching, filters.chosen(), found.as_of, found.matched)
    who: dict[str, Any] = {"by": acting.actor(), "user_id": person.id, "sees_all": sees_all}
    made = bulk.begin(asked, **who, key=args.key)
    follow = f"Workers are at it; how far: pilot execution bulk show {made}"
    answer(args, {"bulk": str(made), "matched": found.matched}, follow)
    return 0


def _filters(session: Session, args: Namespace) -> executions.Filters:
    return executions.Filters(
        status=args.status,
        agent=agents.find(session, args.agent).id if args.agent else None,
        mode=args.mode,
        q=args.query,
        since=args.since,
        until=args.until,
        within=args.within,
        money=args.money,
    )


def _tell(found: report.Preview) -> None:
    spent = money.total(found.usd, found.unpriced)
    say(f"{found.matched:,} match; {found.action} is possible with {found.can.count:,} ({spent})")
    for one in found.cannot:
        say(f"  skipped: {one.count:>6,}  {one.words}")


def _show(args: Namespace) -> None:
    acting.connect()
    person = acting.person(args)
    with db.reading(person.id, sees_all=acting.sees_all(person)) as session:
        found = report.shown(session, args.bulk)
    if args.json:
        show(strictjson.plain(found.facts()))
        return
    counts = ", ".join(f"{found.count(one):,} {one}" for one in ("done", "skipped", "failed"))
    left = "" if found.final else f", {found.count('open'):,} to do"
    say(f"{found.row.action} {found.row.matched:,}: {counts}{left}")
    for one in found.reasons:
        say(f"  {one.status}: {one.count:>6,}  {one.words}")
