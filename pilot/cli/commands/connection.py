"""Connections: list them with their state, test one."""

from argparse import ArgumentParser, Namespace

from pilot import db
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.egress import Egress
from pilot.engine import folders
from pilot.engine.secrets import connections
from pilot.errors import ConfigError, NotFoundError
from pilot.reports import connections as report


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list connections, their state and last use")
    listing.set_defaults(run=_list)
    test = actions.add_parser("test", help="sign in once with one; nothing is sent")
    test.add_argument("label", help="its name, such as Sales")
    test.set_defaults(run=_test)


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
        say(f"{one.plugin:8} {one.label:24} {one.state:10} {account}")
    say(f"{len(lines)} connections")


def _test(args: Namespace) -> None:
    config = acting.connect()
    who = acting.person(args)
    wanted = args.label.strip().casefold()
    with db.reading(who.id) as session:
        lines = [one for one in report.listed(session, who.id) if one.mine]
    found = [one for one in lines if one.label.casefold() == wanted]
    if not found:
        known = ", ".join(one.label for one in lines) or "none"
        raise NotFoundError(f"There is no connection {args.label!r}. Yours: {known}.")
    tested = connections.test(
        found[0].id,
        by=acting.actor(),
        owner_id=who.id,
        egress=Egress(config.egress_allow),
        folder=folders.private(config.data, who.id),
    )
    if tested.state != "ok":
        raise ConfigError(f"{found[0].label}: {tested.reason}")
    facts = {"label": found[0].label, "account": tested.account, "ms": tested.ms}
    answer(args, facts, f"Signed in as {tested.account} in {tested.ms} ms.")
