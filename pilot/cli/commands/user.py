"""People who may sign in: add one, list them."""

import getpass
import sys
from argparse import ArgumentParser, Namespace

from sqlalchemy import select

from pilot import db
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine import users
from pilot.engine.new_user import Role
from pilot.errors import InvalidError, Issue
from pilot.models.user import User


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make an account; its password is asked for")
    add.add_argument("email", help="the address to sign in with")
    add.add_argument("--name", help="how pages call the person (default: the address)")
    add.add_argument(
        "--role",
        action="append",
        choices=[str(role) for role in Role],
        help="what the person may do; several times for several roles (default: viewer)",
    )
    add.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    add.set_defaults(run=_add)
    listing = actions.add_parser("list", help="list all accounts")
    listing.set_defaults(run=_list)


def _add(args: Namespace) -> None:
    acting.connect()
    user_id = users.create_user(
        email=args.email,
        name=args.name or args.email,
        password=_password(from_stdin=args.password_stdin),
        roles=args.role or [Role.VIEWER],
        by=acting.actor(),
    )
    roles = ", ".join(args.role or [Role.VIEWER])
    answer(args, {"id": str(user_id)}, f"{args.email} may sign in as {roles}.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        message = "Nobody can type a password here: give it with --password-stdin."
        raise InvalidError([Issue("password", "/password", message)])
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise InvalidError([Issue("password", "/password", "The two passwords differ.")])
    return first


def _list(args: Namespace) -> None:
    acting.connect()
    with db.reading(None) as session:
        rows = session.execute(
            select(User.id, User.email, User.name, User.roles, User.active).order_by(User.id)
        ).all()
    if args.json:
        show([{**row._mapping, "id": str(row.id)} for row in rows])  # noqa: SLF001 - its documented name
        return
    for row in rows:
        say(f"{row.email}  {', '.join(row.roles)}{'' if row.active else '  (switched off)'}")
