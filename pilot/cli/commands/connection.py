"""Connections: list them with their state, test one, limit its calls."""

from argparse import ArgumentParser, Namespace
from uuid import UUID

from pilot import db
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.egress import Egress
from pilot.engine import folders
from pilot.engine.people.levels import OPERATE, VIEW
from pilot.engine.secrets import connections, rates
from pilot.errors import ConfigError, NotFoundError
from pilot.reports import connections as report


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list connections, their state and last use")
    listing.set_defaults(run=_list, needs=VIEW)
    test = actions.add_parser("test", help="sign in once with one; nothing is sent")
    test.add_argument("label", help="its name, such as Sales")
    test.set_defaults(run=_test, needs=OPERATE)
    rate = actions.add_parser("rate", help="let at most so many calls a minute go over one")
    rate.add_argument("label", help="its name, such as Sales")
    rate.add_argument("calls", help="in any 60 seconds, of all steps together; none: any number")
    rate.set_defaults(run=_rate, needs=OPERATE)


def _list(args: Namespace) -> None:
    acting.connect()
    who = acting.person(args)
    with db.reading(who.id) as session:
        lines = report.listed(session, who.id)
    if args.json:
        show([report.told(one) for one in lines])
        return
    for one in lines:
        account = one.account or one.fields.get("user", "")
        rate = f", at most {one.rate_per_minute:,} calls a minute" if one.rate_per_minute else ""
        say(f"{one.plugin:8} {one.label:24} {one.state:10} {account}{rate}")
    say(f"{len(lines)} connections")


def _test(args: Namespace) -> None:
    config = acting.connect()
    who = acting.person(args)
    found = _named(args.label, who.id)
    tested = connections.test(
        found.id,
        by=acting.actor(),
        owner_id=who.id,
        egress=Egress(config.egress_allow),
        folder=folders.private(config.data, who.id),
    )
    if tested.state != "ok":
        raise ConfigError(f"{found.label}: {tested.reason}")
    facts = {"label": found.label, "account": tested.account, "ms": tested.ms}
    answer(args, facts, f"Signed in as {tested.account} in {tested.ms} ms.")


def _rate(args: Namespace) -> None:
    acting.connect()
    who = acting.person(args)
    found, rate = _named(args.label, who.id), rates.read(args.calls)
    rates.change(found.id, rate, by=acting.actor(), owner_id=who.id)
    said = f"at most {rate:,} calls a minute" if rate else "any number of calls"
    facts = {"label": found.label, "rate_per_minute": rate}
    answer(args, facts, f"{found.label}: {said}.")


def _named(label: str, owner_id: UUID) -> report.Line:
    """Return the connection of that name.

    Raises:
        NotFoundError: there is none, or it is not theirs.
    """
    with db.reading(owner_id) as session:
        lines = [one for one in report.listed(session, owner_id) if one.mine]
    for one in lines:
        if one.label.casefold() == label.strip().casefold():
            return one
    known = ", ".join(one.label for one in lines) or "none"
    raise NotFoundError(f"There is no connection {label!r}. Yours: {known}.")
