"""People who may sign in: add or invite, list, switch off and on, roles, links for a password."""

import getpass
import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from pilot import db, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, confirmed, say, show
from pilot.config import Config
from pilot.engine.people import new_passwords, personal_data, users
from pilot.engine.people.new_user import NewUser, Role
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.reports import people
from pilot.reports.listing import Wanted

MOST_LISTED = 10_000
BACKUPS = "Backups made before still hold the person: delete those, or erase again after a restore."


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make an account; its password is asked for")
    _email(add)
    add.add_argument("--name", help="how pages call the person (default: the address)")
    _roles(add, "what the person may do; several times for several roles (default: viewer)")
    how = add.add_mutually_exclusive_group()
    how.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    how.add_argument(
        "--invite", action="store_true", help="print a link with which they choose a password"
    )
    add.set_defaults(run=_add)
    listing = actions.add_parser("list", help="list all accounts")
    listing.set_defaults(run=_list)
    for name, active in (("disable", False), ("enable", True)):
        what = "let a person sign in again" if active else "sign a person out and keep them out"
        switch = actions.add_parser(name, help=what)
        _email(switch)
        switch.set_defaults(run=_switch, active=active)
    role = actions.add_parser("role", help="give a person exactly these roles")
    _email(role)
    _roles(role, "what the person may do; several times for several roles", required=True)
    role.set_defaults(run=_role)
    reset = actions.add_parser("reset", help="print a link with which they choose a new password")
    _email(reset)
    reset.set_defaults(run=_reset)
    export = actions.add_parser("export", help="write all that belongs to a person into a zip")
    export.add_argument("who", help="mail address or id")
    export.add_argument("file", type=Path, help="the new file")
    export.set_defaults(run=_export)
    erase = actions.add_parser("erase", help="delete a person with all that they own, for good")
    erase.add_argument("who", help="mail address or id")
    erase.add_argument(
        "--anonymise",
        action="store_true",
        help="only take address, name and sign-in from them; what they built stays",
    )
    erase.add_argument("--yes", action="store_true", help="do not ask")
    erase.set_defaults(run=_erase)


def _email(parser: ArgumentParser) -> None:
    parser.add_argument("email", help="the address they sign in with")


def _roles(parser: ArgumentParser, what: str, *, required: bool = False) -> None:
    choices = [str(role) for role in Role]
    parser.add_argument("--role", action="append", choices=choices, required=required, help=what)


def _add(args: Namespace) -> None:
    config = acting.connect()
    name, roles = args.name or args.email, args.role or [str(Role.VIEWER)]
    if args.invite:
        new = NewUser(args.email, name, frozenset(roles))
        user_id, token = new_passwords.invite(new, by=acting.actor())
        _show_link(args, config, str(user_id), token)
        return
    user_id = users.create_user(
        email=args.email,
        name=name,
        password=_password(from_stdin=args.password_stdin),
        roles=roles,
        by=acting.actor(),
    )
    answer(args, {"id": str(user_id)}, f"{args.email} may sign in as {', '.join(roles)}.")


def _show_link(args: Namespace, config: Config, user_id: str, token: str) -> None:
    link = f"{config.url}/password?token={token}"
    answer(args, {"id": user_id, "link": link}, f"Hand this over; it works once:\n{link}")


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
        rows = people.listed(session, people.Filters(), Wanted("created", size=MOST_LISTED)).rows
    if args.json:
        show(strictjson.plain(rows))
        return
    for row in rows:
        state = "" if row["state"] == "active" else f"  ({row['state']})"
        say(f"{row['email']}  {', '.join(row['roles'])}{state}")


def _switch(args: Namespace) -> None:
    acting.connect()
    one = _known(args)
    users.set_active(one.id, args.active, by=acting.actor())
    told = "may sign in again" if args.active else "is signed out and stays out"
    answer(args, {"id": str(one.id), "active": args.active}, f"{one.email} {told}.")


def _role(args: Namespace) -> None:
    acting.connect()
    one = _known(args)
    users.set_roles(one.id, args.role, by=acting.actor())
    roles = sorted(set(args.role))
    told = f"{one.email} is {', '.join(roles)} from the next sign-in on."
    answer(args, {"id": str(one.id), "roles": roles}, told)


def _reset(args: Namespace) -> None:
    config = acting.connect()
    one = _known(args)
    _show_link(args, config, str(one.id), new_passwords.give_link(one.id, by=acting.actor()))


def _known(args: Namespace) -> users.SessionUser:
    with db.reading(None) as session:
        return users.find(session, args.email, active_only=False)


def _export(args: Namespace) -> None:
    config = acting.connect()
    person = personal_data.find(args.who)
    held = personal_data.export(person, config.data, by=acting.actor())
    try:
        descriptor = os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConflictError(f"{args.file} is there already: choose another name.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(held)
    answer(args, {"file": str(args.file), "bytes": len(held)}, f"{args.file}: {len(held):,} bytes.")


def _erase(args: Namespace) -> int:
    config = acting.connect()
    person = personal_data.find(args.who)
    what = "Make anonymous" if args.anonymise else "Delete everything of"
    if not confirmed(f"{what} {person.email}? This cannot be undone.", yes=args.yes):
        return 1
    by, url = acting.actor(), config.database_url
    if args.anonymise:
        done = personal_data.anonymise(person, url=url, by=by)
    else:
        done = personal_data.erase(person, config.data, url=url, by=by)
    told = f"Gone: {done.rows:,} rows, and what {done.records:,} audit records told."
    if done.left:
        listed = ", ".join(f"{count} of {name}" for name, count in done.left.items())
        told += f"\nThe address still stands in rows of others: {listed}."
    answer(args, {"id": str(person.id), **vars(done)}, f"{told}\n{BACKUPS}")
    return 0
