"""`pilot agent schedule`: an agent's schedules, listed, made, changed, switched and deleted."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pilot import db, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine.agents import agents
from pilot.engine.people.levels import OPERATE, VIEW
from pilot.engine.triggers import triggers
from pilot.engine.triggers.schedules import CATCH_UPS, OVERLAPS, Timing
from pilot.errors import InvalidError, Issue

FIELDS = ("zone", "starts_at", "ends_at", "jitter_s", "overlap", "catch_up")


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list them with their next times")
    listing.add_argument("agent", help="the agent's id or its exact name")
    listing.set_defaults(run=_list, needs=VIEW)
    create = actions.add_parser("create", help="make one")
    create.add_argument("agent", help="the agent's id or its exact name")
    _timing_options(create)
    create.set_defaults(run=_create, needs=OPERATE)
    change = actions.add_parser("change", help="change one; what is not named stays")
    change.add_argument("schedule", type=UUID, help="its id")
    _timing_options(change)
    change.set_defaults(run=_change, needs=OPERATE)
    switches(actions, "schedule")


def switches(actions: Any, what: str) -> None:
    """Declare what is done to every kind of trigger: on, off, delete."""
    for name, text in (
        ("on", "switch one on"),
        ("off", "switch one off"),
        ("delete", "delete one"),
    ):
        act = actions.add_parser(name, help=text)
        act.add_argument("trigger", metavar=what.upper(), type=UUID, help="its id")
        act.set_defaults(run=_act, needs=OPERATE, act=name)


def _timing_options(parser: ArgumentParser) -> None:
    parser.add_argument("--cron", help="five fields, such as '0 8 * * 1-5'")
    parser.add_argument("--every", type=int, metavar="SECONDS", help="60 and more")
    parser.add_argument("--zone", help="such as Europe/Berlin (default: the person's)")
    parser.add_argument("--start", dest="starts_at", type=_moment, help="2026-12-24T18:00+01:00")
    parser.add_argument("--end", dest="ends_at", type=_moment, help="as --start")
    parser.add_argument("--jitter", dest="jitter_s", type=int, metavar="SECONDS")
    parser.add_argument("--overlap", choices=OVERLAPS)
    parser.add_argument("--catch-up", choices=CATCH_UPS)
    parser.add_argument("--inputs", metavar="JSON", help="over the agent's saved inputs")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found


def _list(args: Namespace) -> None:
    acting.connect()
    with db.reading(acting.person(args).id) as session:
        agent = agents.find(session, args.agent)
        rows = [triggers.told(session, one) for one in triggers.listed(session, agent.id)]
    if args.json:
        show(strictjson.plain(rows))
        return
    for one in rows:
        upcoming = one["next_times"][0] if one["next_times"] else one["off_reason"] or "off"
        say(f"{one['id']}  {one['in_words']:40} next: {upcoming}")
    say(f"{len(rows)} schedules")


def _create(args: Namespace) -> None:
    acting.connect()
    who = acting.person(args)
    with db.reading(who.id) as session:
        agent = agents.find(session, args.agent)
    timing = _timing(args, Timing(zone=who.zone))
    made = triggers.create(agent.id, timing, inputs_of(args), by=acting.actor(), user_id=who.id)
    _tell(args, made, who.id)


def _change(args: Namespace) -> None:
    acting.connect()
    who = acting.person(args)
    with db.reading(who.id) as session:
        row = triggers.schedule(session, args.schedule)
    inputs = inputs_of(args) if args.inputs else row.inputs
    timing = _timing(args, Timing.of(row))
    triggers.change(row.id, timing, inputs, seen=row.version, by=acting.actor(), user_id=who.id)
    _tell(args, row.id, who.id)


def _act(args: Namespace) -> None:
    acting.connect()
    who: dict[str, Any] = {"by": acting.actor(), "user_id": acting.person(args).id}
    if args.act == "delete":
        triggers.delete(args.trigger, **who)
    else:
        triggers.set_active(args.trigger, args.act == "on", **who)
    told = {"on": "Switched on.", "off": "Switched off.", "delete": "Deleted."}[args.act]
    answer(args, {"id": str(args.trigger), "done": args.act}, told)


def _timing(args: Namespace, base: Timing) -> Timing:
    """Return the schedule with what was named; one way of telling the times replaces the other."""
    named = {name: getattr(args, name) for name in FIELDS if getattr(args, name) is not None}
    if args.cron is not None or args.every is not None:
        named |= {"cron": args.cron, "every_s": args.every}
    return replace(base, **named)


def inputs_of(args: Namespace) -> dict[str, Any] | None:
    """Return the inputs that were given as JSON.

    Raises:
        InvalidError: they are no object.
    """
    if args.inputs is None:
        return None
    found = strictjson.loads(args.inputs)
    if not isinstance(found, dict):
        raise InvalidError([Issue("usage", "/inputs", "--inputs is a JSON object.")])
    return found


def _tell(args: Namespace, schedule_id: UUID, user_id: UUID) -> None:
    with db.reading(user_id) as session:
        told = triggers.told(session, triggers.schedule(session, schedule_id))
    first = next(iter(told["next_times"]), "none")
    answer(args, strictjson.plain(told), f"{told['id']}  {told['in_words']}, next: {first}")
