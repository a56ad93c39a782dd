"""Approvals: list what waits, show one, decide it with one's own password."""

import getpass
import sys
from argparse import ArgumentParser, Namespace
from uuid import UUID

from pilot import db, money, strictjson
from pilot.audit import Actor
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine.approvals import approvals, delegating
from pilot.engine.people import users
from pilot.engine.people.levels import VIEW
from pilot.errors import InvalidError, Issue
from pilot.reports import approvals as rows
from pilot.reports.listing import Wanted


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list what waits for the person")
    listing.add_argument("--all", action="store_true", help="for anybody, as far as visible")
    listing.set_defaults(run=_list, needs=VIEW)
    one = actions.add_parser("show", help="show exactly what would happen")
    one.add_argument("approval", type=UUID)
    one.set_defaults(run=_show, needs=VIEW)
    decide = actions.add_parser(
        "decide", help="approve or reject; needs a terminal and the person's password"
    )
    decide.add_argument("approval", type=UUID)
    decide.add_argument("decision", choices=["approve", "reject"])
    decide.add_argument("--comment", default="")
    decide.set_defaults(run=_decide, needs=VIEW)
    hand = actions.add_parser(
        "delegate", help="let one other person decide; needs a terminal and the person's password"
    )
    hand.add_argument("approval", type=UUID)
    hand.add_argument("to", help="the other person's mail address")
    hand.set_defaults(run=_delegate, needs=VIEW)


def _list(args: Namespace) -> None:
    acting.connect()
    person = acting.person(args)
    tab = "all" if args.all else "mine"
    with db.reading(person.id) as session:
        found = rows.listed(session, tab, Wanted("deadline", size=100), person.id)
    if args.json:
        show(strictjson.plain(found.rows))
        return
    for row in found.rows:
        until = f"{row['expires_at']:%Y-%m-%d %H:%M} UTC"
        say(f"{row['id']}  {row['title']}  ({row['agent_name']}, until {until})")


def _show(args: Namespace) -> None:
    acting.connect()
    person = acting.person(args)
    with db.reading(person.id) as session:
        shown = rows.shown(session, args.approval, person.id)
    if args.json:
        show({"status": shown.status, "hash": shown.row.payload_hash, "payload": shown.payload})
        return
    _tell(shown)


def _tell(shown: rows.Shown) -> None:
    """Write what would happen, exactly as the hash covers it."""
    say(f"{shown.row.title}  [{shown.status}]")
    if shown.payload.get("message"):
        say(shown.payload["message"])
    for step in shown.payload["steps"]:
        say(f"This would happen: {step['action']}")
        show(step["params"] if step["params"] is not None else {"open": step["open"]})
    if shown.row.kind == "form":
        say("It asks for these values, on its page:")
        show(shown.payload["fields"])
        return
    if shown.payload.get("context") is not None:
        say("Decided from:")
        show(shown.payload["context"])
    if shown.cost_usd is not None:
        so_far = money.total(shown.cost_usd, shown.payload["unpriced_calls"])
        say(f"Cost of the execution so far: {so_far}")
    if shown.size_bytes:
        say(f"This is the start of {shown.size_bytes:,} bytes: its page has a file with all of it.")
    say(f"{shown.approved} of {shown.row.needed} needed are given.")
    if shown.unmet:
        say(shown.unmet.words)
    say(f"SHA-256 {shown.row.payload_hash}")


def _proven(args: Namespace, what: str) -> tuple[users.SessionUser, rows.Shown]:
    """Return the person who typed their password, after they were shown what they act on."""
    acting.connect()
    person = acting.person(args)
    if not sys.stdin.isatty():
        message = "A decision needs a terminal at which the person types their password."
        raise InvalidError([Issue("usage", "", message)])
    with db.reading(person.id) as session:
        shown = rows.shown(session, args.approval, person.id)
    _tell(shown)
    say(f"{what.capitalize()} this as {person.email}?")
    users.prove(person.email, getpass.getpass("Password: "), users.Origin("terminal", "pilot", ""))
    return person, shown


def _delegate(args: Namespace) -> None:
    """Hand the question on, as its person."""
    person, _ = _proven(args, f"let {args.to} decide")
    by = Actor(f"user:{person.id}", acting.actor().name)
    delegating.delegate(args.approval, args.to, by=by, user_id=person.id)
    answer(args, {"to": args.to}, f"{args.to} is asked now.")


def _decide(args: Namespace) -> None:
    """Ask for the password at the terminal: no program votes."""
    person, shown = _proven(args, args.decision)
    said: approvals.Decision = "approved" if args.decision == "approve" else "rejected"
    approvals.decide(
        args.approval,
        said,
        comment=args.comment,
        seen_hash=shown.row.payload_hash,
        by=Actor(f"user:{person.id}", acting.actor().name),
        user_id=person.id,
    )
    answer(args, {"decision": said}, f"{said.capitalize()}.")
